"""What the rules fetch of the sources of a run, as paths. Light: the workflow is planned with it."""

from collections.abc import Sequence

from tamrl import plugins, registry
from tamrl.calendar import TimeAxis
from tamrl.drivers import succession
from tamrl.errors import ConfigError
from tamrl.layout import DOWNLOADS
from tamrl.sections.run import Drivers


def fetched_folders(drivers: Drivers, source: str, variables: tuple[str, ...], years: Sequence[int]) -> list[str]:
    """Folders of a source that is fetched, one for each item and year; raises `ConfigError` if it cannot be.

    Parameters
    ----------
    variables : of the cube
    years : of the run
    """
    from tamrl.drivers.cube.plan import plan_cube  # a run that fetches nothing is planned without xarray

    plugin, options = registry.load_source(source), drivers.plugin_options(source)
    if not plugins.downloads(plugin):
        raise ConfigError(f"{source} does not download", where=f"drivers.{source}.download")
    folders = []
    for item in plugin.items(options, plan_cube(variables, drivers.sources)[source]):
        of_item = plugin.item_years(options, item, tuple(years)) if plugins.has_item_years(plugin) else years
        folders += [DOWNLOADS.item(source, item, year) for year in of_item]
    return folders


def changes_sensor(drivers: Drivers, axis: TimeAxis) -> bool:
    """Whether a later sensor follows an earlier one in a source within the time of the run, so that both are compared."""
    sources = ((registry.load_source(name), drivers.plugin_options(name)) for name in drivers.sources)
    return any(succession.follows_sensor(source, options, axis) for source, options in sources)


def climate_map(drivers: Drivers) -> tuple[list[str], str | None]:
    """Inputs and path of the map of climates, of the first source that has one; none without."""
    for name in drivers.sources:
        source, options = registry.load_source(name), drivers.plugin_options(name)
        if plugins.holds_koppen(source):
            path = source.koppen_map(options)
            is_fetched = getattr(options, "download", False)
            return [str(path.parent)] if is_fetched else source.inputs(options), str(path)
    return [], None

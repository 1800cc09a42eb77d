"""Sources of gridded drivers: one file here is one source (files that begin with an underscore are shared parts).

A source offers a variable of the vocabulary by being named under the variable's `sources` in `tamrl/data/variables.yaml`.
Its module holds

``class Options(Strict)``
    Its options in the configuration, all with defaults. It is read from the source without importing the module, so it
    may use nothing but `typing`, `pathlib`, `pydantic` and `tamrl.options`.
``inputs(options) -> list[str]``
    Paths that must exist before the cube is built; called while the workflow is planned, so the module imports no
    heavy library at its top level beyond what `tamrl.variables` needs.
``open_dynamic(options, *, names, axis) -> dict[str, DataArray]``
    The named dynamic variables (time, lat, lon), float32 in canonical units, lazy where large, on the time axis `axis`.
``open_static(options, *, names) -> dict[str, DataArray]``
    The named static variables (lat, lon); a variable with classes holds positions in its class list, -1 where unknown.
``version(options) -> dict``
    What was read, for the provenance (JSON-like).

and, where a longer record leaves earlier steps as they are (`tamrl.drivers.kept`),

``listed(options) -> dict[str, Path]``
    The files that may be read, by name. `open_dynamic` then takes `only`, a set of these names: what the others hold is missing.
    Its arrays carry the attribute ``extent`` (JSON-like): first and last of the `times` in the files opened, which `steps`
    these tell something of (first and last day or month), `every` (hour, day, month, or None where that is not plain)
    and the `grid`; `expver` adds up.

and, where it can fetch its files itself (option `download`),

``items(options, names) -> list[str]``
    What is fetched separately for the named variables, so that only what failed is tried again.
``fetch(options, *, item, year, folder, months=12) -> None``
    Bring one item of one year, or of its first `months`, into a folder; files that are there and whole are not fetched again.

and, where it holds one,

``koppen_map(options) -> Path``
    GeoTIFF of Köppen-Geiger groups or classes (`tamrl.intake.legends`), for towers whose metadata name no climate.

Every array stands on the source's own grid, `lat` falling and `lon` rising within [-180, 180), with the attribute

``grid``
    `nodes` (values at points, poles included), `boxes` (values at such points that stand for the box of one spacing around
    them, missing where that is sea) or `pixels` (means over boxes between the points).

and, where they apply, with

``nodes``
    `land`: only nodes on land may stand for a land cell (default `all`).
``cadence``
    `step` (default): one value per step of the run on its complete time axis, missing where the files have none;
    `composite`: `time` holds the middle of each composite, all composites of each year present; gaps are filled and steps
    interpolated on the grid of the maps (`tamrl.drivers.composites`).
coordinate ``weight``
    Quality weight of each value, 0 to 1, same shape; absent means 1.

A source that cannot serve what is asked raises `InputError` or `ConfigError`; it never returns other steps or years.
"""

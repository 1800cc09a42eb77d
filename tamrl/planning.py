"""Files and options of the rules of a run and its choices, as functions of the configuration.

A *choice* is the same chain of rules with a few keys changed; it shares the drivers of its run.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import BaseModel

from tamrl import config as configuration
from tamrl import plugins, provenance, registry
from tamrl.carbon import FLUXES
from tamrl.drivers import fetched
from tamrl.grid import describe_bounds
from tamrl.layout import File, RunLayout
from tamrl.reference.layouts import holds_maps
from tamrl.reference.names import match_files
from tamrl.search import draw_settings
from tamrl.sections.models import Optimisation
from tamrl.sections.results import RunDescription, RunIdentity, ScoringProtocol
from tamrl.sections.run import Config


class WorkflowPlan:
    """The checked configuration of a run and of its choices, and the files and options of the rules that follow from it.

    `main` is the run; `configs` holds the run and its choices by the value of the wildcard `{run}`; `layout` has the paths of
    the run. Raises `ConfigError` if the configuration is not valid, or a raw input is missing.
    """

    def __init__(self, raw: configuration.Raw) -> None:
        self.main = configuration.load(raw)
        self.layout = RunLayout(self.main.run)
        self.configs: dict[str, Config] = {self.main.run: self.main}
        for name in self.main.choices:
            self.configs[self.layout.choice(name).run] = configuration.load_choice(raw, name)
        for conf in self.configs.values():
            configuration.check_inputs(conf)

    @property
    def gridded(self) -> bool:
        """Whether the run has gridded drivers, and so maps."""
        return bool(self.main.drivers.sources)

    @property
    def models(self) -> list[str]:
        """Names of all models that the run or a choice may train: plug-ins and variants."""
        variants = (name for conf in self.configs.values() for name in conf.training.variants)
        return sorted({*registry.names(registry.MODELS), *variants})

    def features(self, run: str, *, filled: bool = False) -> dict[str, Any]:
        """Variables that the models of a run see, and where asked for those of them that may be filled, as plain values."""
        names = self.configs[run].features.model_dump(mode="json")
        return names if filled else {key: value for key, value in names.items() if key != "filled"}

    def training_samples(self, run: str) -> str:
        """The samples that the models of a run are trained on, the first where there are several."""
        return RunLayout(run)(File.SAMPLES, drivers=self.configs[run].samples.origins[0])

    def further_samples(self, run: str) -> list[str]:
        """Samples of the same towers with other drivers that models are trained on too."""
        return [RunLayout(run)(File.SAMPLES, drivers=drivers) for drivers in self.configs[run].samples.origins[1:]]

    def scores_sums(self, run: str) -> bool:
        """Whether the run has places of sums."""
        return self.configs[run].towers.sums is not None

    def sum_files(self, run: str) -> list[str]:
        """The table of sums."""
        sums = self.configs[run].towers.sums
        return [sums.path] if sums else []

    def training_sums(self, run: str, model: str) -> list[str]:
        """Samples and folds of the places of sums, for a model that learns from them."""
        training, layout = self.configs[run].training, RunLayout(run)
        plugin = registry.load_model_plugin(training.plugin(model))
        options = plugin.Options(**training.options(model))
        weight = Optimisation(**plain_values(training, Optimisation)).adjusted(options).sums_weight
        learns = self.scores_sums(run) and weight > 0 and plugin.capabilities(options).learns_sums
        return [layout(File.SUM_SAMPLES), layout(File.SUM_SPLITS)] if learns else []

    def sum_predictions(self, run: str) -> list[str]:
        """Predictions of every model at held-out places of sums."""
        return [RunLayout(run)(File.SUM_PREDICTIONS, model=model) for model in self.configs[run].training.models]

    def sum_scores(self, run: str) -> list[str]:
        """Scores at held-out places of sums, where the run has such."""
        return [RunLayout(run)(File.SUM_SCORES)] if self.scores_sums(run) else []

    def independent_scores(self) -> list[str]:
        """Yearly sums of towers beside the map, and their scores, where the run names a table of them."""
        judged = self.gridded and self.main.evaluation.independent is not None
        return [self.layout(File.INDEPENDENT), self.layout(File.INDEPENDENT_SCORES)] if judged else []

    def independent_files(self) -> list[str]:
        """The table of yearly sums that judges the map."""
        table = self.main.evaluation.independent
        return [table.path] if self.gridded and table else []

    def mapped_sums(self) -> list[str]:
        """Places, folds and held-out predictions of the sums that trained the models of the maps."""
        model = self.main.inference.model
        if not self.training_sums(self.main.run, model):
            return []
        return [self.layout(File.SUM_PLACES), self.layout(File.SUM_SPLITS), self.layout(File.SUM_PREDICTIONS, model=model)]

    def member_predictions(self, run: str) -> list[str]:
        """Predictions of every model at held-out towers."""
        conf, layout = self.configs[run], RunLayout(run)
        drivers = conf.evaluation.drivers
        return [layout(File.MEMBER_PREDICTIONS, model=m, drivers=d) for m in conf.training.models for d in drivers]

    def fold_models(self, run: str, model: str) -> list[str]:
        """Folders of the models that predict held-out towers: every fold and evaluation member, in a search its folds and one."""
        conf, layout = self.configs[run], RunLayout(run)
        folds, members = conf.splits.fold_names, range(conf.evaluation.members or conf.training.members)
        if conf.search:
            folds, members = tuple(map(str, conf.search.folds)), range(1)
        return [layout(File.MODEL, model=model, fold=fold, member=member) for fold in folds for member in members]

    @property
    def settings(self) -> list[dict[str, Any]]:
        """Settings that the run compares, as plain values of `Setting`."""
        return [plain_values(setting) for setting in draw_settings(self.main)]

    def setting_predictions(self) -> list[str]:
        """Predictions of every setting that is not known to fail, at held-out towers."""
        drivers, failed = self.main.evaluation.drivers[0], self.main.search.failed if self.main.search else {}
        names = [setting.name for setting in draw_settings(self.main)]
        return [self.layout(File.MEMBER_PREDICTIONS, model=name, drivers=drivers) for name in names if name not in failed]

    def map_models(self, run: str) -> list[str]:
        """Folders of the models that make the maps: all towers in training, every member."""
        conf = self.configs[run]
        members = range(conf.training.members)
        return [RunLayout(run)(File.MODEL, model=conf.inference.model, fold="all", member=member) for member in members]

    def previous_map(self, run: str, label: str) -> str | list[str]:
        """Manifest of the year mapped before, where its memory is taken up (`inference.memory: carried`)."""
        earlier = [year for year in self.main.time.labels if year < label]
        carried = self.configs[run].inference.memory == "carried"
        return RunLayout(run)(File.MANIFEST, label=max(earlier)) if carried and earlier else []

    def map_parts(self, run: str, label: str) -> list[str]:
        """Records of the shares of a map's tiles, where each share is a job."""
        jobs = self.configs[run].inference.jobs
        return [RunLayout(run)(File.PREDICTIONS_PART, label=label, part=part) for part in range(jobs if jobs > 1 else 0)]

    def manifests(self, run: str) -> list[str]:
        """Manifests of the predictions of every label. A choice that changes nothing before the maps takes those of its run."""
        sections = ("towers", "samples", "splits", "training", "inference")
        same = all(getattr(self.configs[run], name) == getattr(self.main, name) for name in sections)
        return [RunLayout(self.main.run if same else run)(File.MANIFEST, label=label) for label in self.main.time.labels]

    def manifest(self, run: str, label: str) -> str:
        """Manifest of the predictions of a label."""
        return self.manifests(run)[self.main.time.labels.index(label)]

    def flux_files(self, pattern: str) -> list[str]:
        """One path for each flux and label of the maps; further braces are part of the path."""
        labels = self.main.time.labels
        return [pattern.replace("{flux}", flux).replace("{label}", label) for flux in FLUXES for label in labels]

    def maps(self) -> list[str]:
        """The maps with uncertainty."""
        return self.flux_files(self.layout(File.MAP)) if self.gridded else []

    def members(self) -> list[str]:
        """Maps of the single members."""
        return self.flux_files(self.layout(File.MEMBERS)) if self.gridded and self.main.maps.members else []

    def further_products(self) -> list[str]:
        """Products that `maps.products` names."""
        return [path for name in self.main.maps.products for path in self.flux_files(self.layout(File.PRODUCT, product=name))]

    def means(self) -> list[str]:
        """Means over periods of every flux."""
        return [self.layout(file, flux=flux, **parts) for file, parts in self._means() for flux in FLUXES]

    def _means(self) -> Iterator[tuple[File, dict[str, str]]]:
        """Files of one flux; a climatology is its own months, and has no year."""
        if not self.gridded or not self.main.time.map_years:
            return
        labels, periods = self.main.time.labels, self.main.maps.periods
        same_as_maps = ("seasonal", *(["monthly"] if self.main.time.step == "month" else []))
        for period in periods:
            if period not in same_as_maps:
                yield from ((File.PERIOD, {"period": period, "label": label}) for label in labels)
        if "seasonal" in periods and len(labels) > 1:
            yield File.SEASONAL, {"span": f"{labels[0]}-{labels[-1]}"}

    def balanced(self) -> dict[str, list[str]]:
        """Maps for which NEE = RECO - GPP holds, by flux and in the same order: the main maps first."""
        maps = [File.MAP, *([File.MEMBERS] if self.main.maps.members else [])] if self.gridded else []
        every = [(file, {"label": label}) for file in maps for label in self.main.time.labels] + [*self._means()]
        return {flux: [self.layout(file, flux=flux, **parts) for file, parts in every] for flux in FLUXES}

    def exports(self) -> list[str]:
        """Folders of the forms for GIS and clouds."""
        return [self.layout(File.EXPORTS, label=label) for label in self.main.time.labels] if self.main.maps.exports else []

    def reference_of(self, label: str) -> list[str]:
        """Gridded reference of one label, by flux."""
        count = len(self.main.time.labels)
        return self.reference()[self.main.time.labels.index(label) :: count]

    def reference(self) -> list[str]:
        """Gridded fluxes to compare the maps with."""
        reference = self.main.evaluation.reference
        return self.flux_files(reference.path) if self.gridded and reference else []

    def compared_products(self, *, gridded: bool) -> list[str]:
        """Names of the products of others with maps, or of those that are tables of totals."""
        comparison = self.main.comparison
        return [name for name in comparison.products if holds_maps(comparison.plugin(name)) == gridded]

    def compared_files(self, name: str) -> list[str]:
        """Files of a product of others; raises `InputError` if a pattern names none."""
        return [str(path) for path in match_files(self.main.comparison.products[name].files)]

    def compared_maps(self) -> list[str]:
        """Files of the run that a comparison reads: its monthly maps, or the main maps, and its budgets."""
        means = [(file, parts) for file, parts in self._means() if parts.get("period") == "monthly"]
        monthly = [self.layout(file, flux=flux, **parts) for file, parts in means for flux in FLUXES]
        return [*(monthly or self.maps()), self.layout(File.BUDGETS)]

    def comparisons(self) -> list[str]:
        """Tables and maps of all comparisons."""
        tables = (File.COMPARED_SCORES, File.COMPARED_CYCLES, File.COMPARED_TOTALS, File.COMPARED_MAPS)
        gridded = [self.layout(file, compared=name) for name in self.compared_products(gridded=True) for file in tables]
        return gridded + [self.layout(File.COMPARED_TOTALS, compared=name) for name in self.compared_products(gridded=False)]

    @property
    def knows_truth(self) -> bool:
        """Whether the run has maps of a virtual Earth and its true fluxes to compare them with."""
        return self.main.twin is not None and bool(self.reference()) and bool(self.main.time.map_years)

    def covered_files(self) -> list[str]:
        """Files of the run whose intervals are compared with the truth."""
        means = [self.layout(file, flux=f, **parts) for file, parts in self._means() if file is File.PERIOD for f in FLUXES]
        return [self.layout(File.CALIBRATION), *self.maps(), *means]

    def protocol(self, run: str) -> dict[str, Any]:
        """How the models of a run are scored, as plain values of `ScoringProtocol`."""
        conf = self.configs[run]
        protocol = ScoringProtocol(
            scheme=conf.splits.scheme,
            qc=conf.evaluation.qc,
            map_model=conf.inference.model,
            step=self.main.time.step,
            targets=conf.evaluation.targets,
            rivals=self._rivals(conf),
            gridded=self.gridded,
            virtual=self.main.twin is not None,
        )
        return plain_values(protocol)

    def _rivals(self, conf: Config) -> tuple[str, ...]:
        """Models of a run whose plug-in is not that of the maps' model."""
        plugin = conf.training.plugin(conf.inference.model)
        return tuple(name for name in conf.training.models if conf.training.plugin(name) != plugin)

    def adapted_map_model(self, run: str) -> list[str]:
        """Predictions of the maps' model adapted to held-out towers, where the run adapts it."""
        conf = self.configs[run]
        adapts = conf.adaptation is not None and conf.inference.model in conf.adaptation.models
        return [RunLayout(run)(File.ADAPTED_PREDICTIONS, model=conf.inference.model)] if adapts else []

    def identity(self, run: str) -> dict[str, Any]:
        """Return what the files of a run or choice state of it, as plain values of `RunIdentity`."""
        digest = configuration.shaping_digest(self.configs[run])
        return plain_values(RunIdentity(run=run, config_digest=digest, virtual=self.main.twin is not None))

    @property
    def description(self) -> dict[str, Any]:
        """Return what report, summary and atlas state of the run, as plain values of `RunDescription`."""
        main = self.main
        described = RunDescription(
            **self.identity(main.run),
            title=main.evaluation.title,
            step=main.time.step,
            labels=main.time.labels,
            map_model=main.inference.model,
            qc=main.evaluation.qc,
            reference=main.evaluation.reference.label if self.gridded and main.evaluation.reference else None,
            networks=main.towers.networks,
            choices=tuple(main.choices),
            compared={name: registry.load_compared(main.comparison.plugin(name)).TITLE for name in main.comparison.products},
            region=describe_bounds(main.grid.bounds, main.grid.countries) if self.gridded else None,
        )
        return plain_values(described)

    def summarised_files(self) -> list[str]:
        """Files of scores and totals that the summary reads, and the report too."""
        scores = [File.SITE_METRICS, File.CALIBRATION, File.COMPARISONS, File.RELIABILITY, File.SPLITS]
        scores += [File.CEILINGS, File.SHARES]
        choices = [self.layout.choice(name)(File.BUDGETS) for name in self.main.choices]
        totals = [*map(self.layout, (File.BUDGETS, File.APPLICABILITY)), *choices] if self.gridded else []
        totals += [self.layout(File.TRUTH_COVERAGE)] if self.knows_truth else []
        return [*map(self.layout, scores), *self.sum_scores(self.main.run), *self.independent_scores(), *totals]

    def reported_files(self) -> list[str]:
        """Files of the run that the report reads."""
        files = (File.TOWER_PREDICTIONS, File.SCORES, File.DISSIMILARITY, File.TOWERS, File.QUALITY, File.RECORDS)
        sites = [self.layout(File.NETWORK_SITES, network=network) for network in self.main.towers.networks]
        drivers = [self.layout(File.DRIVER_COMPARISON)] if self.gridded else []
        drivers += [self.layout(File.SENSOR_COMPARISON)] if self.changes_sensor else []
        sums = self.map_sums()
        maps = [*sums, *self.maps()[:1]] if sums else [*self.maps(), *self.members()]
        return [*self.summarised_files(), *map(self.layout, files), *sites, *drivers, *maps, *self.comparisons()]

    def map_sums(self) -> list[str]:
        """Sums of the maps of each label, where there are several: each label is a job then."""
        labels = self.main.time.labels
        return [self.layout(File.MAP_SUMS, label=label) for label in labels] if self.gridded and len(labels) > 1 else []

    def maps_of(self, label: str) -> list[str]:
        """Maps and members of one label."""
        kinds = (File.MAP, File.MEMBERS) if self.main.maps.members else (File.MAP,)
        return [self.layout(kind, flux=flux, label=label) for kind in kinds for flux in FLUXES]

    def year_budgets(self, run: str) -> list[str]:
        """Budgets of each label, where there are several: each label is a job then."""
        labels = self.main.time.labels
        return [RunLayout(run)(File.BUDGET_YEAR, label=label) for label in labels] if len(labels) > 1 else []

    def network_files(self, run: str, network: str) -> list[str]:
        """Raw files and folders of a network."""
        return configuration.raw_inputs(self.configs[run], "towers", network)

    def tower_files(self) -> list[str]:
        """Raw files and folders of all networks of the run."""
        return sorted({path for name in self.main.towers.networks for path in self.network_files(self.main.run, name)})

    def driver_files(self) -> list[str]:
        """Raw files of the cube: the folders of the sources, or one folder for each item and year of a source that is fetched."""
        bounds = self.main.grid.bounds
        paths = [path for path in (self.main.drivers.co2, bounds) if isinstance(path, str)]
        for name in self.main.drivers.sources:
            if getattr(self.main.drivers.plugin_options(name), "download", False):
                paths += fetched.fetched_folders(self.main.drivers, name, cube_variables(self.main), self.main.time.years)
            else:
                paths += configuration.raw_inputs(self.main, "drivers", name)
        return paths

    @property
    def changes_sensor(self) -> bool:
        """Whether a later sensor follows an earlier one in a source of the run, so that both are compared."""
        return fetched.changes_sensor(self.main.drivers, self.main.time.axis)

    def download_options(self, source: str, year: str) -> dict[str, Any]:
        """Options of a source, with the `months` to fetch where the year is unfinished; finished years do not know of it."""
        time = self.main.time
        months = {"months": int(time.until[5:])} if time.until and time.unfinished == int(year) else {}
        return plain_values(self.main.drivers.plugin_options(source)) | months

    def concurrent_orders(self, source: str) -> int:
        """How many orders a download of a source has at the Climate Data Store at once: one or none."""
        return int(plugins.orders_files(registry.load_source(source), self.main.drivers.plugin_options(source)))

    def fetch_options(self, network: str) -> dict[str, Any]:
        """Options of a network that chooses what it downloads; a fixed list of files depends on none."""
        chooses = plugins.fetches(registry.load_network(network))
        return plain_values(self.main.towers.plugin_options(network)) if chooses else {}

    def download_contents(self, network: str) -> dict[str, str]:
        """Digests of what the downloads of a network start from; of contents, as a new checkout changes the times of files."""
        snapshot = configuration.snapshot(self.main) if network == "shuttle" else None
        return provenance.shipped("data/sources.tsv") | ({snapshot: provenance.contents([snapshot])} if snapshot else {})

    def climate_map(self) -> tuple[list[str], str | None]:
        """Inputs and path of the map of climates for towers that name none: of the first source that has one."""
        return fetched.climate_map(self.main.drivers)

    def packaged(self) -> dict[str, Any]:
        """Versions and checksums of grids that are installed as packages."""
        sources = {name: registry.load_source(name) for name in self.main.drivers.sources}
        options = self.main.drivers.plugin_options
        return {name: source.version(options(name)) for name, source in sources.items() if source.CAPABILITIES.installed}

    def plugin(self, run: str, model: str) -> str:
        """Module of the plug-in behind a model, which may be a variant of it."""
        return f"{registry.MODELS}.{self.configs[run].training.plugin(model)}"


def plain_values(section: BaseModel, part: str | type[BaseModel] | None = None) -> dict[str, Any]:
    """A section as plain values, or the part of it that a type or one key names: another key then reruns nothing."""
    values = section.model_dump(mode="json")
    keys: Iterable[str] = [part] if isinstance(part, str) else part.model_fields if part else values
    return {key: values[key] for key in keys}


def cube_variables(main: Config) -> tuple[str, ...]:
    """Variables of the cube."""
    return (*main.drivers.variables.dynamic, *main.drivers.variables.static, "land_fraction")

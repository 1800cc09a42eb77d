# What the rules share: the checked configuration of the run and of its choices, and digests of code.
import sys

sys.path.insert(0, str(workflow.basedir))

from functools import cache

import snakemake.workflow
from snakemake.io import contains_wildcard

from tamrl import config as configuration, provenance, registry, simulated
from tamrl.calendar import TimeAxis
from tamrl.intake import document, machine
from tamrl.carbon import FLUXES
from tamrl.layout import DOWNLOADS, File, RunLayout
from tamrl.jobs import Beside
from tamrl.log import told
from tamrl.scaling.needs import resources as resources_of
from tamrl.sections.inputs import DriverTime, Reading, Screening, World, Years
from tamrl.sections.models import Batches, Engine, Optimisation
from tamrl.sections.results import MapFormat

# Before anything runs, and once: the jobs read this file again.
if workflow.is_main_process:
    machine.check(sys.executable)
    snakemake.workflow.FilePersistence = Beside
    for name in workflow.configfiles:
        document.read(name)
    for given in workflow.config_settings.config_args or ():
        document.check(given.partition("=")[2], where=f"--config {given}")

MAIN = configuration.load(config)

# A choice is the same chain with a few keys changed; it shares the drivers of its run.
CONFIGS = {MAIN.run: MAIN} | {f"{MAIN.run}/choices/{name}": configuration.choice(config, name) for name in MAIN.choices}
for conf in CONFIGS.values():
    configuration.check_inputs(conf)
PLAIN = MAIN.model_dump(mode="json")
VIRTUAL = simulated.of(PLAIN)  # whether the products have to say so
MODELS = sorted({*registry.names(registry.MODELS), *(v for c in CONFIGS.values() for v in c.training.variants)})
ANY, THIS = RunLayout("{run}"), RunLayout(MAIN.run)
BASE = THIS.folder
MONTHLY = File.PERIOD.replace("{period}", "monthly")
ENV = "../../envs/cpu.yaml"
DYNAMIC = MAIN.drivers.variables.dynamic
STATIC = MAIN.drivers.variables.static
GRIDDED = bool(MAIN.drivers.sources)
FINAL = [THIS(file) for file in (File.REPORT, File.PROVENANCE, File.SUMMARY)]
FINAL += [THIS(File.DRIVER_COMPARISON)] if GRIDDED else []
EVALUATED = ("predictions", "metrics", "calibration", "scores", "comparisons", "reliability", "dissimilarity")


def flux_files(pattern):
    """One file a flux and label of the maps; other braces are part of the path."""
    own = lambda flux, label: pattern.replace("{flux}", flux).replace("{label}", label)
    return [own(flux, label) for flux in FLUXES for label in MAIN.time.labels]


def literal(value):
    """A parameter that stays as it is."""
    return lambda wildcards: value


def nameable(paths):
    """Those of the user's files that Snakemake can watch: it takes `{x}` in an input for a wildcard, whoever gave it.

    Rules get all of them as a parameter, and `stamps` tells when one changes. `paths` are a path, a list, nothing, or a function
    of the wildcards that gives such.
    """
    listed = lambda found: [found] if isinstance(found, str) else found or []
    named = lambda found: [path for path in map(str, listed(found)) if not contains_wildcard(path)]
    return (lambda wildcards: named(paths(wildcards))) if callable(paths) else named(paths)


# What only a run with grids has, as the report names it; then the further files whose checksums are recorded.
MAPPED = {
    "maps": flux_files(THIS(File.MAP)),
    "members": flux_files(THIS(File.MEMBERS)) if MAIN.maps.members else [],
    "applicability": THIS(File.APPLICABILITY),
    "budgets": THIS(File.BUDGETS),
    "choices": [THIS.choice(name)(File.BUDGETS) for name in MAIN.choices],
}
MAPPED = MAPPED if GRIDDED else {}
REFERENCE = flux_files(MAIN.evaluation.reference.path) if GRIDDED and MAIN.evaluation.reference else []
PRODUCTS = [path for product in MAIN.maps.products for path in flux_files(THIS(File.PRODUCT, product=product))]
PRODUCTS += [path for key in ("maps", "members") for path in MAPPED.get(key, [])]
PRODUCTS += [MAPPED[key] for key in ("applicability", "budgets") if key in MAPPED]
ATLAS = [THIS(File.ATLAS)] if GRIDDED and MAIN.atlas else []


def section(name, part=None):
    """The section `name` of the run's configuration as plain values, or the part of it that is of a type, or under one key."""

    def get(wildcards):
        plain = getattr(CONFIGS[getattr(wildcards, "run", MAIN.run)], name).model_dump(mode="json")
        keys = [part] if isinstance(part, str) else part.model_fields if part else plain
        return {key: plain[key] for key in keys}

    return get


def needs(rule):
    """Memory and minutes of a rule's jobs, which grow with the grid and with each attempt; only a cluster reads them."""
    return resources_of(rule, PLAIN)


def allocation(inference):
    """Nodes of the job that makes a map, and what starts its workers there; `mpi` keeps SLURM's executor from starting it."""
    several = {"nodes": inference.nodes, "tasks": inference.nodes, "mpi": inference.launcher}
    return several if inference.nodes > 1 else {}


def options(name):
    """The options of the plug-in, or of a model's variant, that a wildcard names; `options("towers")` looks at {network}."""
    if name == "training":
        return lambda w: CONFIGS[w.run].training.options(w.model)
    return lambda w: getattr(getattr(CONFIGS[w.run], name), w.network).model_dump(mode="json")


def plugin(wildcards, model=None):
    """Name of the plug-in behind {model}, which may be a variant of it."""
    return CONFIGS[wildcards.run].training.plugin(model or wildcards.model)


def model_code(stage, model=None):
    """Digest of the code of a stage with the plug-in behind {model}, or behind the model that a function of the wildcards names."""
    return lambda w: made_by(stage, f"{registry.MODELS}.{plugin(w, model and model(w))}")


def fetch_options(wildcards):
    """Options of a network that chooses what it downloads; a fixed list of files depends on none."""
    chooses = hasattr(registry.load(registry.NETWORKS, wildcards.network), "fetch")
    return getattr(MAIN.towers, wildcards.network).model_dump(mode="json") if chooses else {}


made_by = cache(provenance.Code)


def code(*modules):
    """Digest of the code behind a rule, its stage and plug-ins with all they import, and the libraries that shape its numbers."""
    return lambda wildcards: made_by(*modules)


shipped = cache(provenance.shipped)
look_once = cache(lambda path: provenance.stamps([path]))


def stamps(*raw):
    """Digests of names, sizes and times of raw files, as a parameter of what reads them: what was overwritten reruns.

    `raw` are paths, lists of them, mappings to versions, or functions of the wildcards that give such. What lies there before
    the run is looked at once; what the run makes, again when the job starts.
    """
    look = lambda path: provenance.stamps([path]) if configuration.is_made(MAIN, path) else look_once(path)

    def looked(wildcards):
        found = {}
        for given in raw:
            given = given(wildcards) if callable(given) else given
            found |= (
                given if isinstance(given, dict) else {p: look(p) for p in ([given] if isinstance(given, str) else given or ())}
            )
        return dict(sorted(found.items()))

    return lambda wildcards: provenance.Stamps(lambda: looked(wildcards))


@cache
def packaged(wildcards=None):
    """Versions and checksums of grids that are installed as packages."""
    loaded = {name: registry.load(registry.SOURCES, name) for name in MAIN.drivers.sources}
    return {name: plugin.version(getattr(MAIN.drivers, name)) for name, plugin in loaded.items() if hasattr(plugin, "locate")}


def download_contents(wildcards):
    """Digest of what the downloads of a network start from. It is of contents, as a new checkout changes the times of files."""
    chosen = configuration.snapshot(MAIN) if wildcards.network == "shuttle" else None
    return shipped("data/sources.tsv") | ({chosen: provenance.contents([chosen])} if chosen else {})


def plugins(package, names):
    """Modules of the named plug-ins, for `code`."""
    return [f"{package}.{name}" for name in names]


def features(wildcards):
    """Names of the variables that models see, dynamic and static."""
    chosen = CONFIGS[wildcards.run].samples
    pick = lambda own, default: list(default if own is None else own)
    return {"dynamic": pick(chosen.dynamic, DYNAMIC), "static": pick(chosen.static, STATIC)}


def training_samples(wildcards):
    """The samples that models are trained on."""
    return RunLayout(wildcards.run)(File.SAMPLES, drivers=CONFIGS[wildcards.run].samples.drivers)


def at(file):
    """Path of a file, as a parameter, for the wildcards of the job."""
    return lambda w: ANY(file).format(**dict(w.items()))


def of_networks(file):
    """One file of each network of the run."""
    return lambda w: expand(ANY(file), run=w.run, network=CONFIGS[w.run].towers.networks)


def folds(wildcards):
    """Folds of the split, without `all`."""
    splits = CONFIGS[wildcards.run].splits
    return [str(k) for k in range(splits.folds)] if splits.scheme in ("kfold", "koppen") else ["test"]


def fold_models(wildcards):
    """Folders of the models that predict held-out towers: every fold and evaluation member."""
    conf = CONFIGS[wildcards.run]
    members = range(conf.evaluation.members or conf.training.members)
    return expand(
        ANY(File.MODEL),
        run=wildcards.run,
        model=wildcards.model,
        fold=folds(wildcards),
        member=members,
    )


def map_models(wildcards):
    """Folders of the models that make the maps: all towers in training, every member."""
    conf = CONFIGS[wildcards.run]
    pattern = RunLayout(wildcards.run)(File.MODEL, model=conf.inference.model, fold="all")
    return expand(pattern, member=range(conf.training.members))


def previous_map(wildcards):
    """Where the memory is carried, the manifest of the mapped year before; its memory is taken up."""
    before = [label for label in MAIN.time.labels if label < wildcards.label]
    carried = CONFIGS[wildcards.run].inference.memory == "carried"
    return RunLayout(wildcards.run)(File.MANIFEST, label=max(before)) if carried and before else []


def map_parts(wildcards):
    """Shares of a map's tiles, where jobs of their own compute them."""
    jobs = CONFIGS[wildcards.run].inference.jobs
    shares = range(jobs) if jobs > 1 else ()
    return expand(ANY(File.PREDICTIONS_PART), run=wildcards.run, label=wildcards.label, part=shares)


def predictions(wildcards, file):
    """Predictions of every label. A choice that changes nothing before the maps takes those of its run."""
    sections = ("towers", "samples", "splits", "training", "inference")
    same = all(getattr(CONFIGS[wildcards.run], s) == getattr(MAIN, s) for s in sections)
    run = MAIN.run if same else wildcards.run
    return [RunLayout(run)(file, label=label) for label in MAIN.time.labels]


def climate_map():
    """Inputs and path of the map of climates for towers that name none: of the first source that has one."""
    for name in MAIN.drivers.sources:
        plugin, chosen = registry.load(registry.SOURCES, name), getattr(MAIN.drivers, name)
        if hasattr(plugin, "koppen_map"):
            return plugin.inputs(chosen), str(plugin.koppen_map(chosen))
    return [], None


def further_maps():
    """Means over periods, and exports; a climatology is its own months, and has no year."""
    labels = MAIN.time.labels if MAIN.time.map_years else ()
    own = ("seasonal", *(["monthly"] if MAIN.time.step == "month" else []))
    kinds = [period for period in MAIN.maps.periods if period not in own]
    found = expand(THIS(File.PERIOD), period=kinds, label=labels, flux=FLUXES)
    if "seasonal" in MAIN.maps.periods and len(labels) > 1:
        found += expand(THIS(File.SEASONAL, span=f"{labels[0]}-{labels[-1]}"), flux=FLUXES)
    return found + expand(THIS(File.EXPORTS), label=MAIN.time.labels if MAIN.maps.exports else ())


def driver_files():
    """Inputs of the cube: the folders of the sources, or one folder an item and year where a source is to be fetched."""
    from tamrl.drivers.cube import plan

    found = [MAIN.drivers.co2] if MAIN.drivers.co2 else []
    for name in MAIN.drivers.sources:
        plugin, chosen = registry.load(registry.SOURCES, name), getattr(MAIN.drivers, name)
        if getattr(chosen, "download", False):
            items = plugin.items(chosen, plan((*DYNAMIC, *STATIC, "land_fraction"), MAIN.drivers.sources)[name])
            found += expand(DOWNLOADS.item(name), item=items, year=MAIN.time.years)
        else:
            found += plugin.inputs(chosen)
    return found


def download_options(wildcards):
    """Options of a source, with the `months` to fetch where the year is unfinished; finished years do not know of it."""
    months = {"months": int(MAIN.time.until[5:])} if MAIN.time.unfinished == int(wildcards.year) else {}
    return getattr(MAIN.drivers, wildcards.source).model_dump(mode="json") | months


def network_files(wildcards):
    """Inputs of the network that a wildcard names."""
    return registry.load(registry.NETWORKS, wildcards.network).inputs(getattr(CONFIGS[wildcards.run].towers, wildcards.network))


def tower_files():
    """Inputs of the tower networks."""
    own = lambda name: registry.load(registry.NETWORKS, name).inputs(getattr(MAIN.towers, name))
    return sorted({str(path) for name in MAIN.towers.networks for path in own(name)})


def estimated_needs():
    """What a run on real data will fetch, keep and take, as lines of text."""
    from tamrl.drivers import cube, estimate

    wanted = cube.plan((*DYNAMIC, *STATIC, "land_fraction"), MAIN.drivers.sources)
    per_year, years, files, composites = {"day": 365.25, "month": 12}[MAIN.time.step], len(MAIN.time.years), {}, 0
    axis = TimeAxis.of_years(MAIN.time.step, MAIN.time.years, MAIN.time.until)
    for name in MAIN.drivers.sources:
        chosen = getattr(MAIN.drivers, name)
        product, every, count = getattr(chosen, "product", None), getattr(chosen, "every", 1), len(wanted[name])
        files[name] = estimate.fetched(name, product=product, every=every, variables=count, years=years) if count else 0.0
        composites += years * max(estimate.FILES[product][0] // every, 1) if product and count else 0
    return estimate.needs(
        resolution=MAIN.grid.resolution,
        steps=len(axis),
        map_steps=round(max(len(MAIN.time.map_years), 1) * per_year),
        variables=len(DYNAMIC),
        members=MAIN.training.members,
        composites=composites,
        files=files,
    )

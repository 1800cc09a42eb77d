# What the rules share: the checked configuration, paths, and parameters by which what changed runs again.
#
# `ANY` spells paths of the run or of one of its choices, which is what the wildcard {run} matches; `THIS` those of the run alone.
import sys
from functools import cache
from pathlib import Path

HOME = Path(str(workflow.current_basedir)).parents[1]  # of this project; another workflow may use its rules from elsewhere
sys.path.insert(0, str(HOME))

import snakemake.workflow
from snakemake.io import contains_wildcard

from tamrl import config as configuration, provenance, registry
from tamrl.calendar import TimeAxis
from tamrl.carbon import FLUXES
from tamrl.costs.data import data_needs
from tamrl.costs.needs import job_resources
from tamrl.intake import document, machine
from tamrl.jobs import Beside
from tamrl.layout import DOWNLOADS, File, RunLayout
from tamrl.planning import WorkflowPlan, plain_values
from tamrl.run_record import closing_lines
from tamrl.sections.inputs import DriverTime, Reading, Screening, SimulatedWorld, Years
from tamrl.sections.models import Batches, Engine, Optimisation
from tamrl.sections.results import MapFormat
from tamrl.sections.search import SearchBudget

# Before anything runs, and once: the jobs read this file again.
if workflow.is_main_process:
    machine.check_machine(sys.executable)
    for name in workflow.configfiles:
        document.read_document(name)
    for option in workflow.config_settings.config_args or ():
        document.check_value(option.partition("=")[2], where=f"--config {option}")
    if workflow.modifier.is_main_snakefile():  # records of other workflows' jobs stay where Snakemake puts them
        snakemake.workflow.FilePersistence = Beside

PLAN = WorkflowPlan(config)
MAIN, CONFIGS = PLAN.main, PLAN.configs
PLAIN = plain_values(MAIN)
VIRTUAL = MAIN.twin is not None  # whether the products have to say so
GRIDDED = PLAN.gridded
ANY, THIS = RunLayout("{run}"), PLAN.layout
BASE = THIS.folder
ENV = "../../envs/cpu.yaml"
ATLAS = [THIS(File.ATLAS)] if GRIDDED and MAIN.atlas else []

MODULE_PATHS = workflow.modifier.path_modifier  # what `prefix` or `replace_prefix` of another workflow makes of paths


def placed(value):
    """A parameter whose paths of runs and downloads lie where Snakemake puts the inputs and outputs of the rules."""
    if type(value) is str and value.startswith((f"{RunLayout('').root}/", f"{DOWNLOADS.root}/")):
        return str(MODULE_PATHS.replace_prefix(value))
    if type(value) in (list, tuple):
        return [placed(item) for item in value]
    return {key: placed(item) for key, item in value.items()} if type(value) is dict else value


def literal(value):
    """A parameter that stays as it is: braces in a title, a label or a path are text, where Snakemake fills in wildcards."""
    return lambda wildcards: placed(value(wildcards) if callable(value) else value)


def nameable(paths):
    """Those of the user's files that Snakemake can watch: it takes `{x}` in an input for a wildcard, whoever wrote it.

    Rules get all of them as a parameter, and `stamps` tells when one changes. `paths` are a path, a list, nothing, or a function
    of the wildcards that gives such. A prefix of another workflow is for what rules make, not for what users bring.
    """
    listed = lambda value: [value] if isinstance(value, str) else value or []
    mark = lambda path: path if configuration.is_rule_output(MAIN, path) else local(path)
    named = lambda value: [mark(path) for path in map(str, listed(value)) if not contains_wildcard(path)]
    return (lambda wildcards: named(paths(wildcards))) if callable(paths) else named(paths)


def of_run(function):
    """Files or values that a function of `PLAN` gives for the run of the job."""
    return lambda w: function(w.run)


def section(name, part=None):
    """The section `name` of the run's configuration as plain values, or the part of it that is of a type, or under one key."""
    return lambda w: plain_values(getattr(CONFIGS[getattr(w, "run", MAIN.run)], name), part)


def key(name, key):
    """The value of one key of the run's configuration."""
    return lambda w: plain_values(getattr(CONFIGS[w.run], name), key)[key]


def needs(rule, jobs=1):
    """Memory and minutes of a rule's jobs, which grow with the grid and with each attempt; only a cluster reads them.

    `jobs` of that rule, one after the other, take as long as one of those that ask.
    """
    return job_resources(rule, MAIN, jobs=jobs)


def allocation(inference):
    """Nodes of the job that makes a map, and what starts its workers there; `mpi` keeps SLURM's executor from starting it."""
    several = {"nodes": inference.nodes, "tasks": inference.nodes, "mpi": inference.launcher}
    return several if inference.nodes > 1 else {}


made_by = cache(provenance.Code)


def code(*modules):
    """Digest of the code behind a rule, its stage and plug-ins with all they import, and the libraries that shape its numbers."""
    return lambda wildcards: made_by(*modules)


def model_code(stage, model=lambda w: w.model):
    """Digest of the code of a stage with the plug-in behind the model that a function of the wildcards names."""
    return lambda w: made_by(stage, PLAN.plugin(w.run, model(w)))


def map_code(stage):
    """The same for the model that makes the maps."""
    return model_code(stage, lambda w: CONFIGS[w.run].inference.model)


def plugins(package, names):
    """Modules of the named plug-ins, for `code`."""
    return [f"{package}.{name}" for name in names]


shipped = cache(provenance.shipped)
look_once = cache(lambda path: provenance.file_stamps([path]))


def stamps(*raw):
    """Digests of names, sizes and times of raw files, as a parameter of what reads them: what was overwritten reruns.

    `raw` are paths, lists of them, mappings to versions, or functions of the wildcards that give such. What lies there before
    the run is looked at once; what the run makes, again when the job starts.
    """

    def look(path):
        place = placed(path)
        return {place: provenance.file_stamps([place]) if configuration.is_rule_output(MAIN, path) else look_once(place)}

    def all_of(wildcards):
        digests = {}
        for value in raw:
            value = value(wildcards) if callable(value) else value
            for item in value if isinstance(value, (list, tuple)) else [value or {}]:
                digests |= item if isinstance(item, dict) else look(item)
        return dict(sorted(digests.items()))

    return lambda wildcards: provenance.Stamps(lambda: all_of(wildcards))


@cache
def packaged(wildcards=None):
    """Versions and checksums of grids that are installed as packages."""
    return PLAN.packaged()


def at(file):
    """Path of a file, as a parameter, for the wildcards of the job."""
    return lambda w: ANY(file).format(**dict(w.items()))


def of_networks(file):
    """One file of each network of the run."""
    return lambda w: expand(ANY(file), run=w.run, network=CONFIGS[w.run].towers.networks)

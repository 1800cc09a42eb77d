"""The phases of a run as they are shown: what the jobs of some rules are for."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Phase:
    """A part of a run."""

    title: str
    purpose: str
    """What it is for, in one line."""
    rules: tuple[str, ...]


PHASES = (
    Phase(
        "Virtual Earth",
        "a world with known fluxes, as files of towers, ERA5 and MODIS",
        ("simulate_world", "write_archives", "write_era5", "write_modis", "write_static", "write_truth"),
    ),
    Phase(
        "Towers",
        "measured fluxes, tested for quality and brought to one table",
        ("download_towers", "read_network", "harmonise_towers", "read_sums"),
    ),
    Phase(
        "Drivers",
        "weather, vegetation and land of every cell and day, and at the towers",
        (
            "download_drivers",
            "build_driver",
            "build_cube",
            "place_drivers",
            "collocate_drivers",
            "collocate_sums",
            "compare_drivers",
            "compare_sensors",
        ),
    ),
    Phase(
        "Samples",
        "drivers and fluxes side by side, with towers held out for the tests",
        ("split_sites", "build_samples", "build_alternatives", "build_sums"),
    ),
    Phase("Models", "one training for each model, held-out fold and member", ("train_model",)),
    Phase(
        "Held-out towers",
        "fluxes of towers that no training has seen: scores, and widths of the intervals",
        (
            "predict_towers",
            "predict_sums",
            "adapt_towers",
            "evaluate_models",
            "evaluate_sums",
            "measure_ceilings",
            "score_independent",
            "assess_towers",
            "choose_settings",
            "write_adaptation",
            "write_search",
        ),
    ),
    Phase(
        "Maps",
        "fluxes of every cell by all members, with intervals, and budgets of regions",
        (
            "predict_tiles",
            "predict_part",
            "describe_driver",
            "assess_applicability",
            "write_map",
            "write_members",
            "write_product",
            "write_periods",
            "write_seasonal",
            "write_exports",
            "sum_year",
            "sum_budgets",
        ),
    ),
    Phase(
        "Report",
        "tests of the products, comparisons, report, atlas, and the record by which the run can be repeated",
        (
            "cover_truth",
            "compare_product",
            "compare_budget",
            "build_site",
            "build_atlas",
            "sum_maps",
            "write_report",
            "check_products",
            "record_provenance",
            "write_summary",
            "all",
            "atlas",
        ),
    ),
)
"""In the order of the run; every rule of the workflow is in one."""

REST = Phase("Others", "jobs of other rules", ())


def phases_of(rules: Iterable[str]) -> list[Phase]:
    """Return the phases of the rules of a run, each with those of its rules that the run has."""
    wanted = list(dict.fromkeys(rules))
    phases = [Phase(p.title, p.purpose, tuple(rule for rule in p.rules if rule in wanted)) for p in PHASES]
    other = tuple(rule for rule in wanted if not any(rule in phase.rules for phase in PHASES))
    return [phase for phase in (*phases, Phase(REST.title, REST.purpose, other)) if phase.rules]

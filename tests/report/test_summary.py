"""The page of numbers: every number is that of the files it was made from."""

import json
import re

import pandas as pd
import pytest

from tamrl import contracts
from tamrl.report.style import format_number
from tamrl.report.summary import write_summary


@pytest.fixture(scope="module")
def page(day_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("summary")
    rules = {"build_cube": {"seconds": 90.0, "memory_mib": 2048.0}, "x": {"seconds": 30.0, "memory_mib": None}}  # no rule told
    rules |= {"choices/managed/write_map/gpp": {"rule": "write_map", "seconds": 60.0, "memory_mib": 512.0}}
    rules |= {f"write_map/{flux}": {"rule": "write_map", "seconds": 120.0, "memory_mib": 1024.0} for flux in ("gpp", "reco")}
    record = {
        "run": "test",
        "config_digest": "feedc0de",
        "git_revision": "abc",
        "recorded": "2026-11-23T12:00:00Z",
        "seed": 7,
        "config": {
            "twin": {"towers": 24},
            "training": {"members": 5, "models": ["tamrl", "lightgbm"]},
            "evaluation": {"members": None},
        },
        "mixed": ["models were made with different instruction sets: torch AVX2; torch AVX512"],
        "rules": rules,
        "hardware": {"cores": 2, "processor": "one of many"},
    }
    (folder / "provenance.json").write_text(json.dumps(record))
    write_summary(
        files=day_run.files(),
        folder=str(day_run.folder),
        description=day_run.description | {"title": "A virtual Earth"},
        provenance=str(folder / "provenance.json"),
        summary=str(folder / "summary.md"),
    )
    return (folder / "summary.md").read_text()


def _row(page, *starts):
    found = [line for line in page.splitlines() if line.startswith("| " + " | ".join(starts) + " |")]
    assert len(found) == 1, found
    return [cell.strip() for cell in found[0].strip("|").split("|")]


def test_the_page_begins_with_what_world_it_is_of(page):
    assert page.startswith("# A virtual Earth (virtual Earth: simulated, not observed)\n\n**Data of a virtual Earth: ")


def test_mixed_members_are_told_on_the_page(page):
    assert "**Mind:** models were made with different instruction sets: torch AVX2; torch AVX512." in page


def test_totals_are_those_of_the_budgets(page, day_run):
    table = pd.read_csv(day_run.path("budgets.csv"))
    globe = table[table["region"] == "globe"].groupby("flux")[["mean", "q05", "q95", "class_std"]].mean()
    mean, low, high, of_classes = globe.loc["gpp"]
    assert _row(page, "this run")[1] == f"{mean:.1f} ({low:.1f} to {high:.1f})"
    assert _row(page, "common to the places of a class")[1] == f"{of_classes:.1f}"
    assert "to" in _row(page, "range over choices")[3] and _row(page, "managed-kept")


def test_scores_are_medians_over_held_out_towers(page, day_run):
    metrics = contracts.read_csv(day_run.path("evaluation/site_metrics.csv"), contracts.METRICS)
    keys = {"flux": "nee", "split": "kfold:tower", "model": "lightgbm", "scale": "day"}
    rows = metrics[(metrics[list(keys)] == pd.Series(keys)).all(axis=1)]
    medians = rows[["rmse", "mae", "bias", "nse", "r2"]].median()
    starts = ("NEE", "tower", "lightgbm", str(len(rows)), "23")
    found = next(line for line in page.splitlines() if line.startswith("| " + " | ".join(starts) + " |"))
    values = [medians["rmse"], rows["rmse"].quantile(0.9), *medians[["mae", "bias", "nse", "r2"]]]
    assert found.endswith(" | ".join(map(format_number, values)) + " |")
    assert "| NSE | r² |" in page and "NSE is the coefficient of determination 1 − SSE/SST" in page and "R² |" not in page


def test_cost_and_revision_are_told(page):
    assert "5 jobs, 7.0 minutes of jobs in all, at most 2.0 GiB in one job, on 2 cores" in page
    assert _row(page, "`write_map`") == ["`write_map`", "3", "5.0", "1.0"] and _row(page, "`x`")[-1] == "–"
    assert "`feedc0de`" in page and "`abc`" in page


def test_the_area_of_applicability_is_a_share(page):
    share = re.search(r"applicability: (\d+) % of the mapped land, (\d+) % of it", page)
    assert share and all(0 <= int(v) <= 100 for v in share.groups())


def test_changes_and_targets_are_those_of_the_comparisons(page, day_run):
    table = contracts.read_csv(day_run.path("evaluation/comparisons.csv"), contracts.COMPARISONS)
    row = table.query("rival == 'lightgbm' and flux == 'gpp' and split == 'kfold' and scale == 'day'").iloc[0]
    change = f"{row['change']:.1f} [{row['low']:.1f}, {row['high']:.1f}]".replace("-", "−")
    assert _row(page, "GPP", "grid", "lightgbm", "24", "23", change)[-2:] == ["−5", "no"]
    assert [
        line.split(" | ")[-1]
        for line in page.splitlines()
        if "| grid | ctlstm | 0 | 0 |" in line or "| tower | ctlstm | 0 | 0 |" in line
    ] == ["not evaluated |"] * 2


def test_limits_of_coverage_that_are_broken_are_named(page, day_run):
    table = contracts.read_csv(day_run.path("evaluation/reliability.csv"), contracts.RELIABILITY)
    own = table.query("model == 'tamrl' and intervals == 'members' and met == 'no'")
    line = next(line for line in page.splitlines() if "broken by `tamrl`" in line)
    assert all(f"{r.flux.upper()} {r.scale} {r.group} {100 * r.coverage:.0f} %" in line for r in own.itertuples())
    assert own.empty == line.endswith("none.")


def test_ceilings_stand_in_the_table_after_the_models_and_shares_are_told(page, day_run):
    metrics = contracts.read_csv(day_run.path("evaluation/ceilings.csv"), contracts.METRICS)
    own = metrics.query("flux == 'gpp' and split == 'kfold' and scale == 'day'")
    row = _row(page, "GPP", "grid", "ceiling: own_season", "24", "23")
    assert row[5] == format_number(own["rmse"].median()) and row[9] == format_number(own["nse"].median())
    assert "own_season" not in [line.split(" | ")[2] for line in page.splitlines() if line.startswith("| GPP | grid | ")]
    shares = contracts.read_csv(day_run.path("evaluation/shares.csv"), contracts.SHARES)
    best = shares.query("flux == 'gpp' and split == 'kfold' and against == 'best'").iloc[0]
    way = _row(page, "GPP", "grid", "own season of other years", "best (lightgbm)", "24", "23")
    assert way[6:9] == [format_number(best[name]) for name in ("rival_error", "error", "ceiling_error")]
    assert way[9].startswith(format_number(best["share"], 1)) and way[10:] == ["1", best["met"]]

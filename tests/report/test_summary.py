"""The page of numbers: every number is that of the files it was made from."""

import json
import re

import pandas as pd
import pytest

from tamrl import contracts
from tamrl.report.summary import write_summary


@pytest.fixture(scope="module")
def page(day_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("summary")
    rules = {"build_cube": {"seconds": 90.0, "memory_mib": 2048.0}, "x": {"seconds": 30.0, "memory_mib": None}}
    rules |= {"choices/managed/write_map/gpp": {"seconds": 60.0, "memory_mib": 512.0}}
    rules |= {f"write_map/{flux}": {"seconds": 120.0, "memory_mib": 1024.0} for flux in ("gpp", "reco")}
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
    globe = table[table["region"] == "globe"].groupby("flux")[["mean", "std"]].mean()
    assert _row(page, "this run")[1] == f"{globe.loc['gpp', 'mean']:.1f} ± {globe.loc['gpp', 'std']:.1f}"
    assert "to" in _row(page, "range over choices")[3] and _row(page, "managed-kept")


def test_scores_are_medians_over_held_out_towers(page, day_run):
    metrics = contracts.read_csv(day_run.path("evaluation/site_metrics.csv"), contracts.METRICS)
    keys = {"flux": "nee", "split": "kfold:tower", "model": "lightgbm", "scale": "day"}
    rows = metrics[(metrics[list(keys)] == pd.Series(keys)).all(axis=1)]
    medians = rows[["rmse", "bias", "r2", "nse"]].median()
    starts = ("NEE", "tower", "lightgbm", str(len(rows)))
    found = next(line for line in page.splitlines() if line.startswith("| " + " | ".join(starts) + " |"))
    values = [medians["rmse"], rows["rmse"].quantile(0.9), *medians[["bias", "r2", "nse"]]]
    assert found.endswith(" | ".join(f"{v:.2f}" for v in values) + " |")


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
    assert _row(page, "GPP", "grid", "lightgbm", "24", change)[-2:] == ["−5", "no"]
    assert [line.split(" | ")[-1] for line in page.splitlines() if "| ctlstm | 0 |" in line] == ["not evaluated |"] * 2


def test_limits_of_coverage_that_are_broken_are_named(page, day_run):
    table = contracts.read_csv(day_run.path("evaluation/reliability.csv"), contracts.RELIABILITY)
    own = table.query("model == 'tamrl' and intervals == 'members' and met == 'no'")
    line = next(line for line in page.splitlines() if "broken by `tamrl`" in line)
    assert all(f"{r.flux.upper()} {r.group} {100 * r.coverage:.0f} %" in line for r in own.itertuples())
    assert own.empty == line.endswith("none.")

"""Independent towers in report and summary."""

import numpy as np
import pandas as pd
import pytest

from tamrl import contracts
from tamrl.layout import File, RunFiles
from tamrl.reference.independent import HELD_OUT, PLACES, SCORES, TRAINING, UNSEEN, score_places
from tamrl.report.independent import IndependentTowers
from tamrl.report.pages.html import Note, Picture, ReportTable
from tamrl.report.pages.independent import independent_section
from tamrl.report.summary import _independent


def _places(count=90):
    random = np.random.default_rng(4)
    tables = []
    for flux, mean, spread in (("gpp", 1200, 500), ("reco", 1000, 400), ("nee", -200, 200)):
        observed = random.normal(mean, spread, count)
        predicted = mean + 0.7 * (observed - mean) + random.normal(0, spread / 3, count)
        roles = np.select([np.arange(count) < 50, np.arange(count) < 80], [UNSEEN, HELD_OUT], TRAINING)
        table = pd.DataFrame({"site": [f"AA-{k:03d}" for k in range(count)], "lat": np.linspace(-50, 70, count), "lon": 10.0})
        table = table.assign(
            igbp="ENF", koppen="Polar", role=roles, fold=np.where(roles == HELD_OUT, "0", None), distance_km=120.0
        )
        table = table.assign(first="", last="", flux=flux, years=3.0, observed=observed, predicted=predicted, std=spread / 1.64)
        table = table.assign(q05=predicted - spread, q95=predicted + spread)
        numbers = ["predicted", "std", "q05", "q95"]
        table.loc[table["role"] == TRAINING, numbers] = np.nan
        tables.append(table)
    return pd.concat(tables, ignore_index=True)[list(PLACES.columns)]


@pytest.fixture
def run(tmp_path):
    places = _places()
    folder = str(tmp_path / "results" / "judged")
    files = RunFiles.of(folder, [f"{folder}/{file}" for file in (File.INDEPENDENT, File.INDEPENDENT_SCORES)])
    contracts.write_table(files(File.INDEPENDENT), places, PLACES)
    contracts.write_table(files(File.INDEPENDENT_SCORES), score_places(places, distance_km=30.0), SCORES)
    return files


def test_the_section_says_which_places_judge_what(run):
    towers = IndependentTowers.read(run)
    section = independent_section(towers)
    note, picture, table, parts = section.items
    assert isinstance(note, Note) and isinstance(picture, Picture) and isinstance(table, ReportTable)
    assert "50 places judge the map, at places that trained no model; 30 places judge the models of the fold" in note.text
    assert "10 further places of the table trained the maps and judge nothing" in note.text
    assert len(table.rows) == 2 * 3 * 4 and {len(row) for row in table.rows} == {len(table.columns)}
    assert "GPP, the map, at places that trained no model: 50 places, bias" in picture.alt
    assert isinstance(parts, ReportTable) and {row[1] for row in parts.rows} == {"ENF", "Polar"}


def test_the_summary_holds_the_same_numbers(run):
    heading, text, table = _independent(run)
    assert heading == "## Independent towers" and "10 further places" in text
    scores = contracts.read_csv(run(File.INDEPENDENT_SCORES), SCORES).set_index(["role", "kind", "flux"])
    bias = scores.loc[(UNSEEN, "all", "gpp"), "bias"]
    assert f"{bias:+.0f}".replace("-", "−") in table and table.count("\n") == 1 + 2 * 3 * 4


def test_a_run_without_such_a_table_has_no_section(tmp_path):
    run = RunFiles.of(str(tmp_path / "results" / "none"), [])
    assert IndependentTowers.read(run) is None and _independent(run) == []

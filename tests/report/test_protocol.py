"""What was tuned where, where drivers come from, and published numbers: from records of runs and the file of sources."""

import numpy as np
import pandas as pd
import pytest

from tamrl.report.pages import protocol
from tamrl.run_record import Provenance


def record(**config):
    values = {
        "training": {
            "models": ["tamrl", "lightgbm", "wide"],
            "members": 2,
            "tamrl": {"streams": 3},
            "lightgbm": {"bags": 2},
            "variants": {"wide": {"model": "ctlstm", "hidden": 99}},
        },
        "evaluation": {"members": None},
        "drivers": {"variables": {"dynamic": ["air_temperature", "precipitation", "evi", "lai", "day_length"]}},
        "towers": {"networks": ["fluxnet2015"]},
    }
    fields = {"run": "x", "config_digest": "a", "git_revision": "b", "recorded": "2026-11-23T12:00:00Z", "seed": 7, "rules": {}}
    return Provenance.model_validate(fields | {"config": values | config, "hardware": {"cores": 2, "processor": "one"}})


def test_each_model_is_told_with_its_networks_and_its_search():
    text, table = protocol.tuning_blocks(record(searched={"tamrl": {"settings": 6, "seed": 3, "folds": [0, 2], "chosen": 1}}))
    assert "seed 7" in text
    lines = table.splitlines()[2:]
    assert lines[0] == "| `tamrl` | 6 | split of seed 3, folds 0, 2 | 3 | 2 |"
    assert lines[1:] == ["| `lightgbm` | – | not recorded | 2 | 2 |", "| `wide` | – | not recorded | 1 | 2 |"]


def test_drivers_of_a_table_are_called_what_they_are():
    columns = {"air_temperature": "TA_F", "precipitation": "mm_P_ERA", "evi": "mm_EVI", "lai": "LAI"}
    towers = {"networks": ["table"], "table": {"columns": columns, "monthly": {"evi": "smooth"}}}
    text = protocol.driver_origins(record(towers=towers))
    assert "tower: air_temperature;" in text
    assert "monthly reanalysis repeated on each day: precipitation;" in text
    assert "monthly satellite composite joined by a smooth curve: evi;" in text
    assert "satellite composite: lai; from place and date: day_length" in text
    assert "where their networks give them" in protocol.driver_origins(record())


def test_published_numbers_stand_beside_those_of_the_run_with_their_sources():
    rows = [{"model": "tamrl", "flux": "gpp", "rmse": value, "nse": 0.5} for value in np.linspace(1, 2, 11)]
    blocks = protocol.published_blocks(pd.DataFrame(rows), "tamrl")
    lines = blocks[2].splitlines()
    assert lines[2] == "| this run | tamrl | 1.50 / 1.90 / 0.50 | – | – |"
    assert "| CarbonFluxBench, Köppen split | TAM-RL | 1.67 / 3.33 / 0.64 | 1.13 / 2.80 / 0.59 | 1.34 / 2.48 / 0.27 |" in lines
    assert "| FLUXtrapolation, spatial-easy40 | XGBoost | 2.16 / 3.44 / 0.69 | – | 1.72 / 2.47 / 0.30 |" in lines
    assert "arXiv 2605.19812" in blocks[3] and "92 of 474" in blocks[3]


@pytest.mark.parametrize("benchmark", protocol.read_published(), ids=lambda b: b.name)
def test_each_published_model_has_one_score_of_a_flux_and_a_source(benchmark):
    keys = [(score.model, score.flux) for score in benchmark.scores]
    assert len(set(keys)) == len(keys) and "arXiv" in benchmark.source
    assert all(0 < score.rmse < score.p90 and score.nse < 1 for score in benchmark.scores)

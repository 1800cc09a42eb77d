"""Page and figure of a search show every setting, failures too."""

import numpy as np
import pandas as pd

from tamrl import contracts
from tamrl.report.search import plot_search, write_search

ROW = {"options": '{"leaves": 7}', "towers": 40, "groups": 30, "gpp": 0.9, "reco": 1.0, "nee": 0.95, "minutes": 2.5}
FAILED = dict.fromkeys(("score", "low", "high", "gpp", "reco", "nee", "minutes"), np.nan)


def rows():
    frame = pd.DataFrame(
        [
            ROW | {"model": "a", "setting": 0, "score": 1.0, "low": 1.0, "high": 1.0, "chosen": "no", "failure": None},
            ROW | {"model": "a", "setting": 1, "score": 0.95, "low": 0.9, "high": 1.02, "chosen": "yes", "failure": None},
            ROW | FAILED | {"model": "a", "setting": 2, "chosen": "no", "failure": "lost | its weights"},
            ROW | {"model": "b", "setting": 0, "score": 1.0, "low": 1.0, "high": 1.0, "chosen": "yes", "failure": None},
        ]
    )
    return frame[list(contracts.SEARCH.columns)]


def test_every_setting_has_a_line(tmp_path):
    contracts.write_table(str(tmp_path / "search.csv"), rows(), contracts.SEARCH)
    description = {"run": "s", "config_digest": "d", "title": "t", "step": "day", "labels": [], "map_model": "a", "qc": 0.8}
    write_search(
        table=str(tmp_path / "search.csv"),
        page=str(tmp_path / "search.md"),
        figure=str(tmp_path / "search.png"),
        search={"settings": 3, "folds": [0, 1]},
        description=description | {"reference": None, "networks": [], "choices": []},
        seed=9,
    )
    page = (tmp_path / "search.md").read_text()
    assert "3 settings of each model" in page and "fold 0, 1 held out by seed 9" in page
    assert "| 1 | leaves: 7 | 40 | 30 | −5.0 [−10.0, 2.0] | −10.0 | 0.0 | −5.0 | 2.5 | chosen |" in page
    assert "| 2 | leaves: 7 | 40 | 30 | failed |" in page and "lost \\| its weights" in page
    assert (tmp_path / "search.png").stat().st_size > 5000


def test_the_figure_has_a_panel_for_each_model_with_all_its_settings():
    figure = plot_search(rows())
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["a", "b"]
    marks = [line.get_marker() for line in figure.axes[0].lines]
    assert marks.count("x") == 1 and marks.count("o") == 3  # two settings, and the ring of the chosen one

"""Many virtual Earths: they differ, are drawn alike each time, and their shares are averaged with an honest interval."""

import numpy as np
import pandas as pd
import pytest
import yaml

from tamrl import config, contracts, worlds
from tamrl.worlds import World


def test_worlds_differ_and_are_the_same_each_time(root):
    overlays = [World(k).overlay for k in range(30)]
    assert overlays == [World(k).overlay for k in range(30)]
    assert len({o["seed"] for o in overlays}) == 30
    assert {o["twin"]["towers"] for o in overlays} == set(worlds.TOWERS)
    assert {o["twin"]["noise"] for o in overlays} == set(worlds.NOISE)
    for name, values in worlds.EQUATIONS.items():
        assert {o["twin"]["equations"][name] for o in overlays} == set(values)
    loaded = config.load(config.overlay(yaml.safe_load((root / worlds.CONFIG).read_text()), overlays[0]))
    assert loaded.run == "world-00" and loaded.twin.noise == overlays[0]["twin"]["noise"]


def table(coverage: float, n: int, scale: str) -> pd.DataFrame:
    row = {"scale": scale, "intervals": "calibrated", "n": n, "coverage": coverage, "width": 2.0, "interval_score": 3.0}
    return pd.DataFrame([row | {"flux": flux} for flux in ("gpp", "reco", "nee")])


def test_shares_of_many_cells_vary_between_worlds_and_those_of_one_total_are_counted():
    rng = np.random.default_rng(1)
    cells = [table(share, 1000, "cell, day") for share in rng.uniform(0.8, 1.0, 20)]
    totals = [table(float(k % 10 != 0), 1, "globe") for k in range(20)]
    found = worlds.pool_worlds([*cells, *totals]).set_index(["scale", "flux"])
    assert found.loc[("cell, day", "gpp"), "coverage"] == pytest.approx(0.9, abs=0.03)
    assert found.loc[("cell, day", "gpp"), "high"] - found.loc[("cell, day", "gpp"), "low"] < 0.07
    globe = found.loc[("globe", "nee")]
    assert (globe["coverage"], globe["worlds"]) == (0.9, 20)
    assert globe["low"] == pytest.approx(0.717, abs=0.01) and globe["high"] == pytest.approx(0.982, abs=0.01)


def test_the_page_says_what_is_missed():
    pooled = worlds.pool_worlds([table(0.5, 100, "cell, year"), table(0.55, 100, "cell, year")])
    page = worlds.coverage_page(pooled, count=2, picture="page.png")
    assert page.count("**missed**") == 3 and "| cell, year | calibrated | GPP | 52 [" in page and "WORLDS=2" in page
    assert "Asked for: 85 to 95 %" in page and "{" not in page


def test_a_world_that_is_there_is_not_run_again(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number in range(2):
        World(number).coverage.parent.mkdir(parents=True)
        contracts.write_table(str(World(number).coverage), table(0.9, 100, "cell, day"), contracts.TRUTH_COVERAGE, virtual=True)
    monkeypatch.setattr(World, "simulate", lambda *_: pytest.fail("it is there"))
    assert worlds.main(["--worlds", "2", "--page", "page.md"]) == 0
    assert "| cell, day |" in (tmp_path / "page.md").read_text() and "(page.png)" in (tmp_path / "page.md").read_text()
    assert (tmp_path / "page.png").read_bytes().startswith(b"\x89PNG")
    monkeypatch.setattr(World, "simulate", lambda *_: False)
    assert worlds.main(["--worlds", "3", "--page", "page.md"]) == 1 and "worlds, which" in (tmp_path / "page.md").read_text()

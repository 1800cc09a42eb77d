"""`make gpu` on the processor, as small as can be: the path is the one that a GPU takes."""

import json

import torch

from tests.benchmarks import gpu


def test_the_script_trains_maps_and_states_its_rates(tmp_path, capsys):
    assert gpu.main(["--device", "cpu", "--small", "--json", str(tmp_path / "gpu.json")]) == 0
    record = json.loads((tmp_path / "gpu.json").read_text())
    rows = {row["name"]: row for row in record["rows"]}
    assert record["torch"] == torch.__version__ and "cores" in record["device"]
    assert all(rows[name]["value"] > 0 for name in rows if "difference" not in name)
    assert 0 < rows["mapping: share of time in reading and writing"]["value"] < 1
    assert "cell-days/s" in capsys.readouterr().out


def test_wrong_numbers_of_a_device_are_seen(tmp_path):
    case = gpu.Case(gpu.SMALL, gpu.CPU)
    members, clock = [case.train(seed) for seed in (1, 2)], gpu.Clock(gpu.CPU)
    tiles, off = gpu.map_year(case, members, clock, tmp_path, begun=0.0)
    assert (tiles, off) == (1, 0.0), "the time is over after one tile"
    assert set(clock.spent) == {"reading", "decoding", "writing"}
    drivers = gpu.places(gpu.SMALL.compared, 2, seed=5)[[*gpu.DYNAMIC, *gpu.STATIC]]
    fluxes = gpu.decoded(case, members, drivers, gpu.CPU)
    assert gpu.difference(case, members, drivers, fluxes) == 0.0
    assert gpu.difference(case, members, drivers, fluxes[::-1]) > gpu.CLOSE
    assert gpu.step_difference(case) == 0.0

"""Paths of runs."""

from string import Formatter

import pytest

from tamrl.layout import DOWNLOADS, File, RunLayout


def test_parts_are_filled_in_and_the_others_stay_patterns():
    run = RunLayout("mine")
    assert run(File.MAP, flux="gpp") == "results/mine/maps/gpp_{label}.nc"
    assert RunLayout("{run}")(File.MODEL) == "results/{run}/models/{model}/fold-{fold}/member-{member}"
    assert run.choice("managed")(File.BUDGETS) == "results/mine/choices/managed/budgets.csv"
    assert run.log("train_model", "{model}-{fold}") == "results/mine/logs/train_model/{model}-{fold}.log"
    assert DOWNLOADS.item("modis", "MOD13C1", 2011) == "downloads/drivers/modis/MOD13C1/2011"


def test_a_part_that_the_name_does_not_have_is_refused():
    with pytest.raises(KeyError, match="the name of BUDGETS has no flux"):
        RunLayout("mine")(File.BUDGETS, flux="gpp")


def test_no_two_files_have_one_path():
    paths = {RunLayout("x")(file, **{n: f"<{n}>" for _, n, _, _ in Formatter().parse(file) if n}) for file in File}
    assert len(paths) == len(File)


def test_files_that_are_there_tell_the_parts_of_their_names(tmp_path):
    run = RunLayout.at(str(tmp_path / "mine"))
    for name in ("models/tamrl/fold-all/member-1", "models/tamrl/fold-0/member-0.part", "maps/gpp_2011.nc", "maps/nee_2011.nc"):
        (tmp_path / "mine" / name).mkdir(parents=True)
    assert [parts for parts, _ in run.present(File.MAP, flux="gpp")] == [{"label": "2011"}]
    assert [(parts, path) for parts, path in run.present(File.MODEL)] == [
        ({"model": "tamrl", "fold": "0", "member": "0.part"}, tmp_path / "mine/models/tamrl/fold-0/member-0.part"),
        ({"model": "tamrl", "fold": "all", "member": "1"}, tmp_path / "mine/models/tamrl/fold-all/member-1"),
    ]
    assert not list(run.present(File.MANIFEST))

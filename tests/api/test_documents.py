"""The code in docs/python.md runs as it stands there."""

import re

import pandas as pd
import pytest


@pytest.fixture
def folder(tiny_run, table, tmp_path, monkeypatch):
    """A working folder with the run and the tables that the page names."""
    (tmp_path / "results").mkdir()
    (tmp_path / "results/default").symlink_to(tiny_run.folder)
    one = table[table["site"] == "XX-004"].drop(columns=["site", "lat", "lon", "igbp"])
    table.to_csv(tmp_path / "my-sites.csv", index=False)
    one.to_csv(tmp_path / "my-site.csv", index=False)
    days = pd.date_range("2010-01-01", periods=40).strftime("%Y-%m-%d")
    frame = pd.DataFrame({"site": "DE-Hai", "date": days, "lat": 51.1, "lon": 10.5, "igbp": "DBF", "climate5": "Temperate"})
    frame = frame.assign(GPP_NT_VUT_REF=3.0, RECO_NT_VUT_REF=2.0, NEE_VUT_REF=-1.0, NEE_VUT_REF_QC=0.9, TA_F=5.0, VPD_F=2.0)
    frame.assign(SW_IN_F=100.0, mm_P_ERA=1.0, mm_EVI=0.3, mm_LAI=2.0).to_csv(tmp_path / "my-towers.csv", index=False)
    (tmp_path / "places.csv").write_text("site,lat,lon\nhere,50,10\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_code_of_the_page_runs(root, folder, capsys):
    blocks = re.findall(r"```python\n(.*?)```", (root / "docs/python.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) > 4
    names: dict = {}
    exec("\n".join(blocks), names)
    assert "maps monthly 2011, 2012" in capsys.readouterr().out and (folder / "my-fluxes.nc").is_file()
    assert abs(names["fluxes"]["gpp"] - names["same"]["gpp"]).max() < 1e-3
    assert names["series"].sizes == {"site": 1, "time": 24}
    assert names["fluxes"].sizes == {"site": 1, "time": 48} and names["held_out"].sizes["site"] == 20

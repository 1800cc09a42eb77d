"""The model that comes with the package: loaded by name without any data, and sensible at a real tower."""

import io
import json
import re

import numpy as np
import pandas as pd
import pytest

import tamrl
from tamrl.api import released
from tamrl.api.model_card import Statement
from tamrl.command import main as command
from tamrl.command import predict
from tamrl.command.main import main

NAME = released.DEFAULT
FILE = released.FOLDER / f"{NAME}{released.SUFFIX}"
FLUXES = ("gpp", "reco", "nee")
DRIVERS = ["TA_F", "VPD_F", "SW_IN_F", "mm_P_ERA", "mm_EVI", "mm_LAI"]


@pytest.fixture(scope="module")
def model():
    return tamrl.load_model(NAME, device="cpu")


def a_year(year: int = 2011) -> pd.DataFrame:
    """Drivers of a made-up place with a summer."""
    days = pd.date_range(f"{year}-01-01", f"{year}-12-31")
    season = -np.cos(2 * np.pi * (days.day_of_year.to_numpy() - 15) / 365)
    columns = {"TA_F": 9 + 9 * season, "VPD_F": 4 + 3 * season, "SW_IN_F": 140 + 110 * season, "P_F": 2.0 + 0 * season}
    columns |= {"EVI": 0.35 + 0.2 * season, "LAI": 2.5 + 2 * season}
    return pd.DataFrame({"date": days.strftime("%Y-%m-%d")} | {name: np.round(v, 3) for name, v in columns.items()})


def test_the_files_beside_the_model_are_its_card():
    card, digest = released.read_card(NAME)
    assert FILE.with_suffix(".md").read_text(encoding="utf-8") == card.markdown(digest)
    assert json.loads(FILE.with_suffix(".json").read_text(encoding="utf-8")) == card.model_dump(mode="json")
    assert card.statement == Statement.of_file(FILE.with_suffix(".yaml")) and FILE.stat().st_size < 1 << 22


def test_the_card_names_data_licences_towers_and_scores(model):
    card, _ = released.read_card(NAME)
    assert card.statement.data[0].licence == "CC-BY-4.0" and card.statement.data[0].doi == "10.1038/s41597-020-0534-3"
    trained = {site for member in model.members for site in member.spec.training.sites}
    assert {tower.site for tower in card.towers} == trained and len(trained) > 150
    day = {score.flux: score for score in card.scores if score.scale == "day"}
    assert set(day) == set(FLUXES) and all(score.towers > 150 for score in day.values())
    assert day["gpp"].rmse < 2 and day["reco"].rmse < 1.7 and day["nee"].rmse < 1.7, "as the benchmark: docs/benchmark.md"
    held = {i.flux: i.coverage for i in card.intervals if i.scale == "day"}
    assert set(held) == set(FLUXES) and all(0.8 < share < 0.97 for share in held.values())


def test_a_place_is_predicted_by_its_table_alone(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    a_year().to_csv("my-site.csv", index=False)
    words = ["predict", "--drivers", "my-site.csv", "--lat", "51.1", "--lon", "10.5", "--igbp", "DBF", "--koppen", "Temperate"]
    assert main([*words, "--output", "fluxes.csv"]) == 0
    table = pd.read_csv("fluxes.csv", parse_dates=["date"])
    assert len(table) == 365 and table["applicability"].eq(1).all()
    for flux in FLUXES:
        assert (table[f"{flux}_q05"] < table[flux]).all() and (table[flux] < table[f"{flux}_q95"]).all()
    np.testing.assert_allclose(table["nee"], table["reco"] - table["gpp"], atol=1e-4)
    summer, winter = (table.loc[table["date"].dt.month == month, "gpp"].mean() for month in (7, 1))
    assert summer > 6 > 1.5 > winter
    assert main([*words, "--model", NAME]) == 0 and capsys.readouterr().out.count("\n") == 367


def test_the_code_and_the_table_of_the_page_are_right(root, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    page = (root / "docs/predict-my-site.md").read_text(encoding="utf-8")
    (table,), (code,) = (re.findall(rf"^```{kind}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL) for kind in ("csv", "python"))
    assert list(pd.read_csv(io.StringIO(table))) == list(a_year())
    a_year().to_csv("my-site.csv", index=False)
    exec(code, {})
    assert "gpp_q95" in capsys.readouterr().out


def test_the_shown_commands_give_a_flux_each_day(root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    a_year().to_csv("my-site.csv", index=False)
    shown = [(root / "docs/predict-my-site.md").read_text(encoding="utf-8"), command.DESCRIPTION, predict.DESCRIPTION]
    for text in shown:
        (line,) = re.findall(r"^ *tamrl (predict --drivers [^\n]*?)(?:   .*)?$", text, re.MULTILINE)
        words = line.partition(" --output")[0].split()
        assert command.main([*words, "--output", "fluxes.csv"]) == 0
        assert pd.read_csv("fluxes.csv")["gpp"].notna().sum() == 365, line


@pytest.mark.parametrize(("days", "told"), [(0, False), (-90, True), (30, True), (90, True)])
def test_dates_that_are_off_by_months_are_told(model, caplog, days, told):
    """A run leaves such radiation out; a lag of half a year is refused (`towers.quality.plausibility`)."""
    late = a_year().assign(date=pd.to_datetime(a_year()["date"]) + pd.Timedelta(days=days))
    model.predict(late, place=tamrl.Place(lat=51.1, lon=10.5, igbp="DBF", koppen="Temperate"))
    assert ("with more radiation than at the top of the atmosphere" in caplog.text) == told


def test_a_place_like_no_tower_is_flagged(model):
    hot = a_year().assign(TA_F=lambda t: t["TA_F"] + 20, VPD_F=45.0, EVI=0.7, LAI=6.0)
    ds = model.predict(hot, place=tamrl.Place(lat=0.5, lon=20.0, igbp="EBF", koppen="Tropical"))
    assert ds["applicability"].values.tolist() == [0] and ds["dissimilarity"].values[0] > 0 and ds["gpp"].notnull().all()


@pytest.mark.parametrize(("site", "most"), [("DE-Hai", 2.0), ("FI-Hyy", 1.5), ("US-MMS", 2.0)])
def test_what_a_tower_measured_lies_within_its_ranges(model, shared_data, site, most):
    """The towers trained the model; errors at towers that did not are on the card."""
    rows = pd.read_parquet(shared_data / "towers/fluxnet2015_daily.parquet", filters=[("site", "==", site)])
    rows = rows.rename(columns={"climate5": "koppen"})
    ds = model.predict(rows[["site", "date", "lat", "lon", "igbp", "koppen", *DRIVERS]], interval_of="measurement")
    good = rows[rows["NEE_VUT_REF_QC"] >= 0.8]
    at = {"site": site, "time": pd.to_datetime(good["date"]).to_numpy()}
    for flux, column in (("gpp", "GPP_NT_VUT_REF"), ("nee", "NEE_VUT_REF")):
        measured = good[column].to_numpy()
        part = {end: ds[flux + end].sel(at).values for end in ("", "_q05", "_q95")}
        both = np.isfinite(measured) & np.isfinite(part[""])
        assert both.sum() > 500
        error = np.sqrt(np.mean((part[""] - measured)[both] ** 2))
        inside = ((part["_q05"] <= measured) & (measured <= part["_q95"]))[both].mean()
        assert error < most and inside > 0.8, (flux, error, inside)
        assert np.corrcoef(part[""][both], measured[both])[0, 1] > 0.7

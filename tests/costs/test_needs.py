"""The needs of a run by hand."""

from pathlib import Path

import pytest
import yaml

from tamrl import config, registry
from tamrl.costs import data
from tamrl.costs.__main__ import main as plan_main
from tamrl.costs.plan import disk_bytes
from tamrl.costs.size import RunSize
from tamrl.plugins import SourceVolume
from tamrl.sections.run import Config

ROOT = Path(__file__).parents[2]
GLOBAL = yaml.safe_load((ROOT / "config/global.yaml").read_text())


def globe(**changes) -> Config:
    return config.load(config.overlay(GLOBAL, changes))


def amounts(conf: Config) -> dict[str, float]:
    return {need.name: need.amount for need in data.data_needs(conf)}


def test_the_global_run():
    conf = globe()
    size, needs = RunSize.of(conf), amounts(conf)
    field = 24 * 365.25 * 721 * 1440 * 4 / 1e9  # GB of days in single precision
    assert needs["files of arco_era5"] == pytest.approx(4 * 24 * 0.4 * field)
    assert needs["what stays of arco_era5"] == pytest.approx(6 * 0.5 * field), "two temperatures, two pressures, two amounts"
    assert needs["files of static"] == pytest.approx((130_618_411 + 465_969_062 + 10e6) / 1e9), "three maps, fetched once"
    total = sum(amount for name, amount in needs.items() if name.startswith("files of"))
    assert needs["hours to fetch them at 10 MB/s"] == pytest.approx(total * 1e9 / 10e6 / 3600)
    assert needs["cube of drivers"] == pytest.approx(8 * 8766 * 0.35 * 1_036_800 * 4 * 0.6 / 1e9)
    assert needs["cube of drivers"] + needs["predictions and maps"] == pytest.approx(disk_bytes(size) / 1e9), "one cost model"


def test_orders_are_counted():
    drivers = {"sources": ["cds_era5", "modis", "static"], "cds_era5": {"download": True}}
    name = "orders of cds_era5, whose time in the queue is not counted"
    assert amounts(globe(drivers=drivers))[name] == 4 * 24 * 12
    assert name not in amounts(globe(drivers={**drivers, "cds_era5": {"download": False}})) and name not in amounts(globe())


def test_memory_does_not_grow_with_the_length_of_the_record():
    name, years = "memory of the largest job of the drivers", list(range(1960, 2025))
    assert amounts(globe())[name] < 6
    assert amounts(globe(time={"years": years}))[name] == amounts(globe())[name]


def test_a_virtual_earth_fetches_nothing():
    assert data.data_needs(config.load({})) == []


def test_files_of_the_sources():
    weather = ("air_temperature", "dew_point_temperature", "shortwave_radiation", "precipitation")

    def volume(source, names=weather, **options):
        plugin = registry.load_source(source)
        return plugin.volume(plugin.Options(**options), names=names, years=24)

    assert volume("cds_era5").size == pytest.approx(4 * 24 * 365.25 * 721 * 1440 * 2)
    assert volume("arco_era5").size == pytest.approx(24 * 0.8 * volume("cds_era5").size), "0.39 of the bytes were measured"
    days = volume("arco_era5", download=True)
    assert volume("arco_era5").condensed == 0 and days.condensed == pytest.approx(volume("cds_era5").size * 6 / 4), (
        "two pressures"
    )
    pressures = ("air_temperature", "saturation_vapour_pressure", "vapour_pressure", "shortwave_radiation", "precipitation")
    assert volume("arco_era5", pressures, download=True) == days, "each hour is fetched once"
    assert volume("cds_era5_land").size == pytest.approx(4 * 24 * 365.25 * 1801 * 3600 * 2)
    hub = volume("earth_data_hub", download=True)
    assert hub.size == hub.condensed == pytest.approx(4 * 24 * 365.25 * 1472 * 3600 * 4 * 0.19) and 120e9 < hub.size < 180e9
    assert volume("modis") == SourceVolume(24 * 23 * 45e6, 24 * 23, requests=24 * 23)
    assert volume("mcd43c4").size == pytest.approx(24 * 365 / 8 * 90e6) and volume("mcd43c4").composites == 24 * 45
    assert volume("static") == volume("packaged") == volume("modis", ()) == SourceVolume()


def test_the_routes_by_hand():
    rows = {line.split("`")[1]: line.split("|")[2:] for line in data.format_routes(globe()).splitlines()[2:]}
    requests = {name: int(cells[0].replace(",", "")) for name, cells in rows.items()}
    assert requests["arco_era5"] == 4 * 24 * 8766 and requests["cds_era5"] == 4 * 24 * 12 and requests["modis"] == 24 * 23
    assert requests["earth_data_hub"] == pytest.approx(4 * (8766 / 75 * 120 + 24 * 8), abs=1) and requests["static"] == 3
    assert float(rows["modis"][2]) == pytest.approx(24 * 23 * 45e6 / 10e6 / 3600, abs=0.1)
    assert data.format_routes(config.load({})) == ""


@pytest.mark.parametrize("file", sorted(path.name for path in (ROOT / "config").glob("*.yaml")))
def test_every_configuration_has_a_plan(file, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert plan_main([f"config/{file}"]) == 0
    text = capsys.readouterr().out
    assert "docs/scaling.md" in text and ("would fetch by each route" in text) == (file == "global.yaml")


def test_it_reads_like_text():
    assert str(data.Need("cube", 1234.5, "GB")) == "cube: about 1,234 GB"
    assert str(data.Need("cube", 0.25, "GB")) == "cube: about 0.2 GB"

"""What the documents show is true: code runs, tables are read, configurations load, links lead somewhere."""

import re
import types
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
import yaml

import tamrl
from tamrl import config
from tamrl.drivers.mapped import MappedRegion
from tamrl.grid import Grid
from tamrl.plugins import Dims, FluxModel
from tamrl.towers.networks import table
from tamrl.towers.reader import records

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def blocks(page: str, language: str) -> list[str]:
    """Fenced blocks of a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", (DOCS / page).read_text(), flags=re.MULTILINE | re.DOTALL)


def test_the_table_of_a_tower_is_read_with_its_configuration(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (content,), (mine, held_out) = blocks("my-tower.md", "csv"), blocks("my-tower.md", "yaml")
    Path("my_tower.csv").write_text(content)
    Path("my_sites.txt").write_text("DE-Mine\n")
    loaded = config.load(config.overlay(yaml.safe_load(mine), yaml.safe_load(held_out)))
    options = loaded.towers.plugin_options("table")
    found, places = records.check_network(
        *table.read([Path("my_tower.csv")], options, partitioning="NT", step="day"), where="my_tower.csv"
    )
    assert places[["site", "lat", "lon", "igbp"]].values.tolist() == [["DE-Mine", 50.1, 8.7, "GRA"]]
    assert len(found) == 5 and found["reco"].tolist() == pytest.approx((found["gpp"] + found["nee"]).tolist())
    assert found["air_temperature"].iloc[0] == pytest.approx(18.4 + 273.15) and found["precipitation"].iloc[2] == 6.4


def test_the_model_of_the_page_learns_and_is_restored():
    (code,), (overlay,) = blocks("my-model.md", "python"), blocks("my-model.md", "yaml")
    ridge = types.ModuleType("ridge")
    exec(compile(code, "my-model.md", "exec"), ridge.__dict__)
    for function in (name for name in vars(FluxModel) if not name.startswith("_")):
        assert callable(getattr(ridge, function))
    options = ridge.Options(**yaml.safe_load(overlay)["training"]["ridge"])
    g = torch.Generator().manual_seed(1)
    x, static, support = torch.randn(6, 50, 4, generator=g), torch.randn(6, 2, generator=g), torch.zeros(6, 26, 4)
    gpp, reco = x[..., 0] + static[:, :1], 0.5 * x[..., 1] + 1.0
    y = torch.stack([gpp, reco, reco - gpp], dim=-1)
    weight = torch.ones_like(y)
    y[0, :9], weight[0, :9] = float("nan"), 0
    dims = Dims(4, 4, 2, 26, (1.0, 1.0, 1.0))
    model = ridge.build(dims, options)
    model.fit(x, support, static, y, weight, seed=1)
    fluxes = model.predict(x, support, static, skip=10)
    assert fluxes.shape == (6, 40, 3)
    assert (fluxes - y[:, 10:]).abs().max() < 0.2
    assert torch.allclose(fluxes[..., 2], fluxes[..., 1] - fluxes[..., 0], atol=1e-6)
    again = ridge.build(dims, options)
    again.load_state_dict(model.state_dict())
    assert np.array_equal(again.predict(x, support, static), model.predict(x, support, static))


def test_the_regions_of_the_page_are_mapped(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    box, polygons, countries = (config.load(yaml.safe_load(text)).grid for text in blocks("regional.md", "yaml"))
    (outline,) = blocks("regional.md", "json")
    Path(polygons.bounds).write_text(outline)
    grids = (box, polygons, countries)
    europe, iberia, two = (MappedRegion.of(grid.bounds, Grid(grid.resolution), grid.countries).cells for grid in grids)
    assert europe.sum() == 38 * 54 and 60 < iberia.sum() < 90 and not (iberia & ~europe).any()
    assert 100 < (two & europe).sum() < two.sum() < 300
    assert config.load_files([ROOT / "config/region.yaml"]).grid.bounds == box.bounds


PAGES = sorted(p.relative_to(ROOT).as_posix() for folder in (".", "docs", "config") for p in (ROOT / folder).glob("*.md"))


@pytest.mark.parametrize("page", PAGES)
def test_links_between_pages_lead_somewhere(page):
    text = re.sub(r"^```.*?^```", "", (ROOT / page).read_text(), flags=re.MULTILINE | re.DOTALL)
    links = [
        link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link and not link.startswith("#")
    ]
    assert [link for link in links if not (ROOT / page).parent.joinpath(link).exists()] == []


SIX = {
    "start": ("docs/first-hour.md", "make maps"),
    "cost": ("docs/first-hour.md", "## What it costs"),
    "my tower": ("docs/my-tower.md", "my_tower.csv"),
    "Europe only": ("docs/region.md", "sellonlatbox"),
    "what the ± means": ("docs/uncertainty.md", "## Which interval is in which file"),
    "how to cite": ("docs/cite.md", "A sentence to paste"),
}
"""What a visitor asks: the page that answers, and what stands on it."""


def links_of(page: str) -> set[str]:
    """Pages of the project that a page links to, relative to its root."""
    text = (ROOT / page).read_text(encoding="utf-8")
    targets = {link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link}
    folder = (ROOT / page).parent
    return {(folder / t).resolve().relative_to(ROOT).as_posix() for t in targets if t.endswith(".md")}


@pytest.mark.parametrize("question", SIX)
def test_the_readme_answers_within_two_clicks(question):
    page, answer = SIX[question]
    one = links_of("README.md")
    two = set().union(*(links_of(p) for p in one))
    assert page in one | two and answer in (ROOT / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", sorted(p.name for p in DOCS.glob("*.md")))
def test_every_page_is_reached_from_the_readme(page):
    reached, new = set(), {"README.md"}
    while new:
        reached |= new
        new = set().union(*(links_of(p) for p in new)) - reached
    assert f"docs/{page}" in reached


@pytest.mark.parametrize("page", PAGES)
def test_links_to_a_heading_lead_to_one(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    for target, anchor in re.findall(r"\]\(([^)\s#]*)#([^)\s]+)\)", text):
        if "://" not in target:
            there = (ROOT / page).parent / target if target else ROOT / page
            heads = re.findall(r"^#+ (.+)$", there.read_text(encoding="utf-8"), flags=re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}
            assert anchor in slugs, f"{target}#{anchor}"


def test_the_region_of_the_page_is_cut_from_a_map(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (code,) = blocks("region.md", "python")
    grid = Grid(2.0)
    folder = tmp_path / "results/default/maps/monthly"
    folder.mkdir(parents=True)
    lat, lon = np.meshgrid(grid.lat, grid.lon, indexing="ij")
    ds = xr.Dataset({"gpp": (("lat", "lon"), lat), "gpp_std": (("lat", "lon"), lon)}, {"lat": grid.lat, "lon": grid.lon})
    ds.to_netcdf(folder / "gpp_2012.nc")
    exec(compile(code, "region.md", "exec"), {})
    cut = xr.load_dataset("gpp_europe_2012.nc")
    assert cut.sizes == {"lat": 19, "lon": 27}
    assert 34 <= float(cut["gpp"].min()) < float(cut["gpp"].max()) <= 72
    assert -12 <= float(cut["gpp_std"].min()) < float(cut["gpp_std"].max()) <= 42


def test_the_citation_is_that_of_the_release():
    cff = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert cff["version"] == tamrl.__version__ and cff["title"] and cff["authors"]
    page = (DOCS / "cite.md").read_text(encoding="utf-8")
    assert f"version {cff['version']}" in page and cff["title"] in page and cff["authors"][0]["name"] in page
    assert all(reference["doi"] in page for reference in cff["references"])

"""What the documents show is true: code runs, tables are read, configurations load, links lead somewhere."""

import re
import types
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from tamrl import config
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


PAGES = sorted(p.relative_to(ROOT).as_posix() for folder in (".", "docs", "config") for p in (ROOT / folder).glob("*.md"))


@pytest.mark.parametrize("page", PAGES)
def test_links_between_pages_lead_somewhere(page):
    text = re.sub(r"^```.*?^```", "", (ROOT / page).read_text(), flags=re.MULTILINE | re.DOTALL)
    links = [
        link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link and not link.startswith("#")
    ]
    assert [link for link in links if not (ROOT / page).parent.joinpath(link).exists()] == []

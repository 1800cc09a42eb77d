"""What the page says of two runs in numbers is what Python computes from each, and no flux without skill goes unmarked."""

import re

import pandas as pd
import pytest

import tamrl
from tamrl import config
from tamrl.api.totals import polygon_totals
from tamrl.carbon import FLUXES
from tamrl.layout import File
from tamrl.polygons.reading import read_polygons
from tamrl.run_record import Provenance
from tests.atlas.conftest import broken, edited
from tests.atlas.test_polygons import SHAPES, choose, collection
from tests.welcome import content

POOR = "no demonstrated spatial skill (12 towers)"


def numbers(cell: str) -> list[tuple[float, float]]:
    """Numbers of a cell of the table, each with half a unit of its last digit."""
    texts = [text.replace("−", "-") for text in re.findall(r"[+−]?\d+(?:\.\d+)?", cell)]
    return [(float(text), 0.5 * 10.0 ** -len(text.partition(".")[2])) for text in texts]


def check(one, ours: pd.DataFrame, theirs: pd.DataFrame, precision: float) -> None:
    """Compare the table with means and ends by flux; `precision` is relative to the mean and the width of the interval."""
    for flux in FLUXES:
        cells = one.page.locator(f"#comparison tr[data-flux={flux}] td").all_inner_texts()
        rows = [ours.loc[flux], theirs.loc[flux]]
        scale = precision * sum(abs(row["mean"]) + row["q95"] - row["q05"] for row in rows)
        for cell, row in zip(cells, rows, strict=False):
            found = numbers(cell)
            assert len(found) == 3, cell
            for (value, half), name in zip(found, ("mean", "q05", "q95"), strict=True):
                assert value == pytest.approx(row[name], abs=1.01 * half + scale), (flux, name)
        ((difference, half),) = numbers(cells[2])
        assert difference == pytest.approx(rows[0]["mean"] - rows[1]["mean"], abs=1.01 * half + scale), flux


@pytest.mark.parametrize("month", [0, 7])
def test_totals_of_two_runs_and_their_difference_are_those_of_their_tables(opened, atlas, daily, climatology, month):
    one = opened().go(atlas, f"c=two&br=mean&tab=regions&m={month}")
    one.page.wait_for_selector(f"#comparison caption:has-text('{'month' if month else 'year'}')")
    tables = [pd.read_csv(made.path("regions.csv")) for made in (daily, climatology)]
    for region in ("globe", "SREX-AMZ"):
        one.page.select_option("#region", region)
        one.page.wait_for_selector(f"#region option[value='{region}']:checked", state="attached")
        one.page.wait_for_selector("#panel[data-shown] #comparison")
        rows = [table[(table["region"] == region) & (table["month"] == month)].set_index("flux") for table in tables]
        check(one, *rows, 1e-6)
    one.shoot(f"two-runs-{month}")


def test_totals_of_a_polygon_in_two_runs_are_those_of_the_command(opened, atlas, daily, climatology, tmp_path):
    (tmp_path / "mine.geojson").write_text(collection({"mine": SHAPES["GRA"]}))
    rows = []
    for made in (daily, climatology):
        Provenance(run=made.name, config=config.load({}).model_dump(mode="json")).write(made.path(File.PROVENANCE.value))
        rows.append(polygon_totals(tamrl.open_run(made.folder), read_polygons(tmp_path / "mine.geojson")).set_index("flux"))
    one = opened().go(atlas, "c=two&br=mean&tab=regions&m=0")
    choose(one, collection({"mine": SHAPES["GRA"]}))
    one.page.wait_for_selector("#panel h2:has-text('mine') ~ #intervals")
    check(one, *rows, 4e-3)


def test_a_flux_without_skill_in_either_run_says_so_below_their_numbers(opened, atlas, climatology, tmp_path):
    copy, other = broken(atlas, tmp_path / "daily"), broken(climatology.folder / "atlas", tmp_path / "mean")
    about = content(other / "data/index.js")["about"]
    edited(other, about=about | {"skill": {"gpp": "NSE 0.7", "reco": "NSE 0.6", "nee": POOR}})
    edited(copy, about=content(copy / "data/index.js")["about"] | {"skill": dict.fromkeys(FLUXES, "NSE 0.8")})
    one = opened().go(copy, "c=two&br=mean&tab=regions")
    one.page.wait_for_selector("#comparison .warn")
    assert one.page.locator("#comparison .warn").all_inner_texts() == ["NEE: no demonstrated spatial skill in run mean."]

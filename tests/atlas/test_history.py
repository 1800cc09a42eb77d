"""The atlas in Chromium: its addresses, the way back, what it tells a screen reader, and its files of numbers."""

import re

import numpy as np
import pandas as pd
import pytest

from tamrl import simulated
from tests.atlas.conftest import QUANTUM


def at(one, part: str) -> None:
    """Wait for the address."""
    one.page.wait_for_function("part => location.hash.replaceAll('%2C', ',').includes(part)", arg=part)


def test_back_goes_back_by_tabs_cells_towers_and_regions(opened, atlas):
    one = opened().go(atlas)
    one.page.click("#tab-regions")
    one.page.wait_for_selector("#region")
    one.page.select_option("#region", "SREX-AMZ")
    at(one, "region=SREX-AMZ")
    one.drawn(lambda: one.page.click("[data-flux=reco]"))  # no step: it is told to the step that is there
    at(one, "f=reco")
    one.page.click("#tab-towers")
    one.page.click("#tower-list button >> nth=0")
    one.page.wait_for_selector("#records-period")
    one.page.go_back()
    one.page.wait_for_selector("#tower-list")
    one.page.go_back()
    one.page.wait_for_selector("#panel[data-shown=regions]")
    assert one.page.input_value("#region") == "SREX-AMZ" and "f=reco" in one.page.url
    one.page.go_back()
    one.page.wait_for_selector("#panel h2:has-text('All land')")
    one.page.go_back()
    one.page.wait_for_selector("#panel[data-shown=place]")
    one.page.go_forward()
    one.page.wait_for_selector("#panel[data-shown=regions]")


@pytest.mark.parametrize(
    ("address", "named"),
    [
        ("tab=towers&tower=XX-No", "tower “XX-No”"),
        ("tab=regions&region=Atlantis", "region “Atlantis”"),
        ("q=nothing", "layer “nothing”"),
        ("y=1850", "year “1850”"),
        ("c=difference&b=nope", "layer “nope”"),
        ("tab=towers&igbp=TREE", "class “TREE”"),
        ("tower=<b>x</b>", "tower “<b>x</b>”"),
    ],
)
def test_what_a_link_names_in_vain_is_told(opened, atlas, address, named):
    one = opened().go(atlas, address)
    one.page.wait_for_selector("#note p")
    assert named in one.text("#note") and one.coloured() > 0.1
    if "difference" in address:
        assert "truth" in one.text("#legend-a p"), "no difference of a layer and itself"
    one.page.click("#note button")
    assert one.page.is_hidden("#note")


def test_known_names_are_not_remarked(opened, atlas):
    one = opened().go(atlas, "tab=regions&region=SREX-AMZ&y=2012&q=std&b=nee.mean&c=two")
    one.page.wait_for_selector("#region")
    assert one.page.is_hidden("#note")


def test_a_reader_is_told_what_the_numbers_are(opened, atlas):
    one = opened().go(atlas, "at=45,25&m=7")
    one.page.wait_for_selector("#panel .headline")
    said = one.text("#live")
    assert re.search(r"45.0° N, 25.0° E. July 2012: GPP [\d.]+, RECO [\d.]+, NEE .*grams of carbon per square metre", said), said
    assert re.search(r"90 % range of GPP: [−\d.]+ to [\d.]+", said)
    chart = one.page.locator("#panel .plot").first.get_attribute("aria-label")
    assert re.search(r"estimate .* to .*; 90 % range within [−\d.]+ to [\d.]+", chart), chart


def saved(one, button: str, folder) -> tuple[str, pd.DataFrame]:
    """The text and the table of a file that a button offers."""
    one.page.wait_for_selector(button)
    with one.page.expect_download() as waiting:
        one.page.click(button)
    file = folder / "table.csv"
    waiting.value.save_as(file)
    return file.read_text(), pd.read_csv(file, comment="#")


def described(text: str, table: pd.DataFrame) -> bool:
    """Whether a file says what each column is, of which sign NEE is, and what made it, in lines without commas."""
    head = [line for line in text.splitlines() if line.startswith("#")]
    names = {line.split(" ")[2].rstrip(":") for line in head if line.startswith("# column ")}
    assert names | {simulated.COLUMN} == set(table.columns)
    assert not any("," in line for line in head) and any("positive towards the atmosphere" in line for line in head)
    assert {"configuration digest: feedc0de", simulated.STATEMENT.replace(",", ";")} <= {line[2:] for line in head}
    return bool((table[simulated.COLUMN] == simulated.STATEMENT).all()) and any("saved 20" in line for line in head)


def test_regions_are_saved_with_their_definitions(opened, atlas, daily, tmp_path):
    text, table = saved(opened().go(atlas, "tab=regions"), "#regions-csv", tmp_path)
    assert described(text, table)
    known = pd.read_csv(daily.path("regions.csv"))
    both = table.merge(known, on=["region", "flux", "month", "kind"], suffixes=("", "_known"))
    assert len(both) == len(known) == len(table)
    for name in ("mean", "std", "q05", "q95"):
        np.testing.assert_allclose(both[name], both[f"{name}_known"], atol=2e-6)
    amazon = table[(table.region == "SREX-AMZ") & (table.flux == "gpp") & (table.month == 7)].iloc[0]
    assert amazon["reference"] > 0 and amazon["name"] == "Amazon" and table.loc[table.kind == "class", "reference"].isna().all()


def test_the_records_of_a_tower_are_saved(opened, atlas, daily, tmp_path):
    predictions = pd.read_parquet(daily.path("evaluation/predictions.parquet"))
    site = str(predictions["site"].iloc[0])
    text, table = saved(opened().go(atlas, f"tab=towers&tower={site}"), "#tower-csv", tmp_path)
    assert described(text, table) and "held out" in text
    own = predictions[(predictions.site == site) & (predictions.model == "tamrl") & (predictions.flux == "nee")]
    own = own.sort_values("date").set_index(own.sort_values("date")["date"].dt.strftime("%Y-%m-%d"))
    table = table.set_index("date").loc[own.index]
    for column, name in {
        "nee_observed": "observed",
        "nee_tamrl": "predicted",
        "nee_tamrl_q05": "q05",
        "nee_tamrl_q95": "q95",
    }.items():
        np.testing.assert_allclose(table[column], own[name], atol=0.0051)
    assert "nee_lightgbm" in table and "nee_lightgbm_q05" not in table


def test_the_file_of_a_cell_says_what_each_column_is(opened, atlas, tmp_path):
    text, table = saved(opened().go(atlas, "at=45,25"), "#csv", tmp_path)
    assert described(text, table) and "gpp_std: GPP: predictive standard deviation" in text and "°C" in text
    assert {"applicability", "dissimilarity"} <= set(table.columns) and table["dissimilarity"].nunique() == 1
    assert table["applicability"].isin(["inside", "outside"]).all() and table["gpp_mean"].max() > QUANTUM


def test_towers_are_sorted_found_and_drawn_by_year_or_month(opened, atlas, daily):
    metrics = pd.read_csv(daily.path("evaluation/site_metrics.csv"), keep_default_na=False)
    nse = (
        metrics[(metrics.model == "tamrl") & (metrics.flux == "gpp") & (metrics.scale == "day")]
        .set_index("site")["nse"]
        .astype(float)
    )
    one = opened().go(atlas, "tab=towers")
    one.page.wait_for_selector("#tower-list")
    first = "#tower-list li >> nth=0"
    assert nse.idxmin() in one.text(first)
    one.page.select_option("#tower-order", "best")
    assert nse.idxmax() in one.text(first)
    one.page.fill("#tower-search", nse.index[3].lower())
    assert one.page.locator("#tower-list li").count() == 1 and nse.index[3] in one.text(first)
    one.page.click("#tower-list button")
    one.page.wait_for_selector("#records-period")
    assert one.page.input_value("#records-period") == "2012" and one.page.locator("#panel .plot canvas").count() == 2
    legend = "#panel .plot .u-legend >> nth=0"
    assert "lightgbm" not in one.text(legend) and "90 % range" in one.text(legend)
    one.page.check("#records-rivals")
    one.page.wait_for_selector("#panel .u-legend:has-text('lightgbm')")
    one.page.select_option("#records-period", "months")
    one.page.wait_for_selector("#panel p:has-text('Means of the days')")
    predictions = pd.read_parquet(daily.path("evaluation/predictions.parquet"))
    own = predictions[(predictions.site == nse.index[3]) & (predictions.model == "tamrl") & (predictions.flux == "gpp")]
    own = own.dropna(subset=["q05", "observed"])
    share = ((own.observed >= own.q05) & (own.observed <= own.q95)).mean()
    said = float(re.search(r"held (\d+) %", one.text("#held")).group(1))
    assert said == pytest.approx(100 * share, abs=1.5), "rounded records lie on the other side of a bound at times"
    one.shoot("tower-months")

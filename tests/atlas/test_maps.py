"""The maps of the atlas in Chromium: what is compared, what their keys say, and what they warn of."""

import numpy as np
import pytest
import xarray as xr

from tests.atlas.conftest import QUANTUM, broken, edited, monthly
from tests.welcome import content

POOR = "no demonstrated spatial skill (R2 of site means 0.1 [-0.2, 0.3], 12 towers)"
WARNING = "NEE: no demonstrated spatial skill"


def told(atlas, folder, *, nee: str):
    """A copy of the atlas whose NEE has another skill."""
    about = content(atlas / "data/index.js")["about"]
    skill = {"gpp": "R2 of site means 0.7", "reco": "R2 of site means 0.6", "nee": nee}
    return edited(broken(atlas, folder), about=about | {"skill": skill})


def number(text: str) -> float:
    return float(text.replace("−", "-"))


def test_a_comparison_begins_with_the_truth_and_follows_the_flux(opened, atlas):
    one = opened().go(atlas)
    one.drawn(lambda: one.page.select_option("#compare", "difference"))
    assert one.page.input_value("#other") == "gpp.truth" and one.page.input_value("#other-month") == "-1"
    assert one.text("#legend-a p").startswith("GPP, estimate, July 2012 − GPP, truth, July 2012")
    one.drawn(lambda: one.page.click("[data-flux=nee]"))
    assert one.page.input_value("#other") == "nee.truth" and "NEE, truth" in one.text("#legend-a p")
    one.drawn(lambda: one.page.select_option("#other", "nee.q95"))
    one.drawn(lambda: one.page.click("[data-flux=reco]"))
    assert one.page.input_value("#other") == "reco.q95"


def test_without_a_truth_the_opposite_season_is_compared(opened, climatology, atlas):
    one = opened().go(climatology.folder / "atlas", "m=7")
    one.drawn(lambda: one.page.select_option("#compare", "difference"))
    assert (one.page.input_value("#other"), one.page.input_value("#other-month")) == ("gpp.mean", "1")
    assert "January" in one.text("#legend-a p") and one.coloured() > 0.05
    two = opened().go(climatology.folder / "atlas", "m=1&c=difference")
    assert two.page.input_value("#other-month") == "7"


def test_what_cannot_be_subtracted_is_not_offered(opened, atlas):
    one = opened().go(atlas)
    one.drawn(lambda: one.page.select_option("#compare", "difference"))
    hidden = "all => all.filter(o => o.hidden).map(o => o.value)"
    gone = set(one.page.locator("#other option").evaluate_all(hidden))
    assert {"air_temperature", "igbp", "applicability", "gpp.inside"} <= gone and not {"gpp.truth", "reco.mean"} & gone
    one.drawn(lambda: one.page.select_option("#show", "igbp"))
    assert one.page.input_value("#compare") == "one" and one.page.is_hidden("#problem")
    assert one.page.locator("#compare option[value=difference]").is_disabled()
    one.drawn(lambda: one.page.select_option("#compare", "two"))
    assert not one.page.locator("#other option").evaluate_all(hidden)


def test_the_colours_of_a_difference_follow_the_difference(opened, atlas, daily):
    fields = []
    for path, name in (("maps/gpp_2012.nc", "gpp"), ("inputs/truth/gpp_2012.nc", "gpp")):
        with xr.open_dataset(daily.path(path)) as ds:
            fields.append(monthly(ds[name].values, ds["time"].values))
    sizes = np.abs(fields[0] - fields[1])
    share = np.nanpercentile(sizes, 98)
    one = opened().go(atlas, "c=difference")
    label = one.page.get_attribute("#legend-a .ramp", "aria-label")
    top = number(label.split("Colours from ")[1].split(" to ")[1].split()[0])
    assert share - QUANTUM <= top < 2 * share + QUANTUM, (share, top)
    july = (fields[0] - fields[1])[6]
    assert one.page.is_visible("#legend-a .arrow.high") == bool(np.nanmax(july) > top)
    assert one.page.is_visible("#legend-a .arrow.low") == bool(np.nanmin(july) < -top)
    one.shoot("maps-difference")


@pytest.mark.parametrize(("high", "clipped"), [(2.0, True), (400.0, False)])
def test_keys_mark_what_they_clip_and_have_round_ticks(opened, atlas, daily, tmp_path, high, clipped):
    index = content(atlas / "data/index.js")
    layers = [layer | ({"high": high} if layer["name"] == "gpp.mean" else {}) for layer in index["layers"]]
    one = opened().go(edited(broken(atlas, tmp_path), layers=layers))
    assert one.page.is_visible("#legend-a .arrow.high") is clipped and not one.page.is_visible("#legend-a .arrow.low")
    with xr.open_dataset(daily.path("maps/gpp_2012.nc")) as ds:
        most = float(np.nanmax(monthly(ds["gpp"].values, ds["time"].values)[6]))
    assert (f" to {most:.2f}" in one.text("#legend-a")) is clipped
    said = [number(text) for text in one.page.locator("#legend-a .ticks span").all_inner_texts()]
    assert 4 <= len(said) <= 6 and np.ptp(np.diff(said)) < 1e-9 and said[0] == 0 and said[-1] == high
    one.shoot(f"maps-key-{clipped}")


@pytest.mark.parametrize("poor", [True, False])
def test_nee_without_skill_says_so_wherever_it_is_shown(opened, atlas, tmp_path, poor):
    copy = told(atlas, tmp_path, nee=POOR if poor else "R2 of site means 0.5 [0.3, 0.6]")
    one = opened().go(copy, "f=nee&v=25,45,4&dots=false")
    for address in ("f=nee", "f=gpp&c=difference&b=nee.mean", "f=nee&q=std"):
        one.go(copy, f"{address}&v=25,45,4&dots=false")
        assert (WARNING in one.text("#legend-a")) is poor, address
        assert (WARNING in one.page.get_attribute("#pane-a", "aria-label")) is poor
    box = one.page.locator("#pane-a").bounding_box()
    one.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    one.page.wait_for_selector("#tip:not([hidden])")
    assert (WARNING in one.text("#tip")) is poor
    one.go(copy, "f=gpp")
    assert one.page.locator("#legend-a .warning").count() == 0
    one.go(copy, "f=nee")
    assert "← sink" in one.text("#legend-a") and "source →" in one.text("#legend-a")
    one.shoot(f"maps-nee-{poor}")


def test_months_of_days_show_the_share_of_days_inside(opened, atlas):
    one = opened().go(atlas, "q=inside")
    assert "share of days with the truth inside the 90 % range" in one.text("#legend-a p")
    assert one.page.locator("#legend-a .ramp").count() == 1

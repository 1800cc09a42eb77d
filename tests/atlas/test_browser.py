"""The atlas in Chromium, opened from disk: every layer, the numbers, links, downloads, a phone, and broken data."""

import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tamrl import simulated
from tamrl.atlas.bundle import build_site
from tamrl.atlas.stage import build_atlas
from tamrl.errors import InputError
from tests.atlas.conftest import QUANTUM, SCREENSHOTS, SITE, broken, monthly
from tests.welcome import content

PLACE = {"lat": 45.0, "lon": 25.0}  # the middle of a cell of 10 degrees


def number(text: str) -> float:
    return float(text.replace("−", "-"))


def error_digits(error: float) -> int:
    """Decimals of a number with this error: one digit of the error, two where it begins with a one."""
    power = int(np.floor(np.log10(error)))
    return max(0, -power + (error / 10.0**power < 1.95))


def test_it_opens_from_disk_and_shows_the_run(opened, atlas):
    one = opened().go(atlas)
    assert one.text("#title") == "A <virtual> Earth" and one.coloured() > 0.1
    one.page.click("#tab-about")
    one.page.wait_for_selector("#panel[data-shown=about]")
    said = one.text("#panel")
    for part in ("feedc0de", "0123456789abcdef", "c0ffee", "CC-BY-4.0", "10.48550/arXiv.2603.09974", "0.004"):
        assert part in said
    assert one.page.get_attribute(".tools a", "href") == "../report.html"
    one.shoot("desktop-about")


@pytest.mark.parametrize("view", ["", "p=globe", "tab=regions", "tab=towers", "tab=about", "c=difference&b=gpp.std"])
def test_every_view_says_that_the_world_is_simulated(opened, atlas, view):
    one = opened().go(atlas, view)
    assert one.text("#world") == simulated.STATEMENT and one.page.is_visible("#world")
    assert one.text("#legend-a .badge") == simulated.STATEMENT
    assert simulated.STATEMENT in one.page.get_attribute("#pane-a", "aria-label")
    one.page.wait_for_selector("#panel[data-shown]")
    assert ("nothing about the real Earth" in one.text("#panel")) is (view == "tab=about")
    one.shoot(f"virtual-{view or 'map'}")


def test_an_atlas_of_a_region_opens_at_its_window(opened, regional, site):
    build_atlas(**regional.keywords(site))
    one = opened().go(regional.folder / "atlas")
    assert one.coloured() > 0.2, "the window fills the map"
    one.page.get_by_role("button", name="the mapped region take up in July").click()
    one.page.wait_for_selector("#panel[data-shown=regions]")
    said = one.text("#panel")
    assert "All mapped land" in said and "The Earth" not in said and "published, " not in said
    assert one.page.eval_on_selector("#region", "select => select.value") == "mapped region"
    one.shoot("region")


def test_a_narrow_screen_says_so_too(opened, atlas):
    one = opened(viewport={"width": 390, "height": 760}).go(atlas)
    assert one.page.is_visible("#world") and one.page.is_visible("#legend-a .badge")
    one.shoot("virtual-narrow")


def test_a_real_run_does_not_say_it_but_a_virtual_one_beside_it_does(opened, atlas, climatology):
    one = opened().go(climatology.folder / "atlas", "c=two&br=daily&b=gpp.mean")
    assert one.page.locator("#world").count() == 0 and one.page.locator("#legend-a .badge").count() == 0
    assert one.text("#legend-b .badge") == simulated.STATEMENT


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_layer_draws(opened, atlas, theme):
    one = opened(color_scheme=theme).go(atlas)
    layers = one.page.locator("#show option").evaluate_all("all => all.map(o => o.value)")
    assert {"mean", "std", "range", "q05", "q95", "truth", "error", "inside", "applicability", "dissimilarity", "igbp"} <= set(
        layers
    )
    for flux in ("gpp", "reco", "nee") if theme == "light" else ("nee",):
        if one.page.get_attribute(f"[data-flux={flux}]", "aria-pressed") == "false":
            one.drawn(lambda: one.page.click(f"[data-flux={flux}]"))  # noqa: B023
        for layer in layers:
            if one.page.input_value("#show") != layer:
                one.drawn(lambda: one.page.select_option("#show", layer))  # noqa: B023
            assert one.coloured() > (0.02 if layer in ("igbp", "elevation") else 0.1), f"{flux} {layer}"
            assert one.page.is_hidden("#problem") and one.text("#legend-a p")
        one.drawn(lambda: one.page.select_option("#show", "mean"))
        one.shoot(f"layer-{flux}-{theme}")


def test_a_click_shows_what_the_files_hold(opened, atlas, daily):
    one = opened().go(atlas, "v=25,45,4&dots=false&m=3&p=globe")
    box = one.page.locator("#pane-a").bounding_box()
    one.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    one.page.wait_for_selector("#panel .headline")
    assert one.text("#panel h2") == "45.0° N, 25.0° E"
    for flux in ("gpp", "reco", "nee"):
        with xr.open_dataset(daily.path(f"maps/{flux}_2012.nc")) as ds:
            cell = ds.sel(PLACE)
            march = float(cell[flux].sel(time="2012-03").mean())
        assert number(one.text(f"[data-value={flux}]")) == pytest.approx(march, abs=QUANTUM / 2 + 0.005)
    assert "How sure are we here?" in one.text("#panel") and one.page.locator("#panel .plot canvas").count() >= 2
    one.shoot("desktop-cell")


def test_the_series_of_a_cell_is_a_csv_with_its_origin(opened, atlas, daily, tmp_path):
    one = opened().go(atlas, "at=45,25")
    one.page.wait_for_selector("#csv")
    with one.page.expect_download() as waiting:
        one.page.click("#csv")
    file = tmp_path / "cell.csv"
    waiting.value.save_as(file)
    assert "feedc0de" in file.read_text()
    table = pd.read_csv(file, comment="#")
    assert (
        table["virtual_earth"] == simulated.STATEMENT
    ).all() and f"# {simulated.STATEMENT.replace(',', ';')}" in file.read_text()
    assert table["month"].tolist() == list(range(1, 13))
    for column, (flux, variable) in {
        "gpp_mean": ("gpp", "gpp"),
        "nee_q05": ("nee", "nee_q05"),
        "reco_std": ("reco", "reco_std"),
    }.items():
        with xr.open_dataset(daily.path(f"maps/{flux}_2012.nc")) as ds:
            expected = monthly(ds[variable].sel(PLACE).values[:, None], ds["time"].values)[:, 0]
        np.testing.assert_allclose(table[column], expected, atol=QUANTUM / 2 + 1e-4)


def test_the_slider_moves_map_and_numbers(opened, atlas):
    one = opened().go(atlas, "at=45,25&m=1")
    one.page.wait_for_selector("#panel .headline")
    january = one.text("[data-value=gpp]")
    one.page.focus("#month")
    for _ in range(6):
        one.drawn(lambda: one.page.keyboard.press("ArrowRight"))
    assert one.text("#month-name") == "July 2012"
    one.page.wait_for_selector(".headline [data-value=gpp]:not(:text-is('" + january + "'))")
    assert number(one.text("[data-value=gpp]")) > number(january)
    one.drawn(lambda: one.page.click("#play"))
    assert one.text("#month-name") == "August 2012"
    one.page.click("#play")


def test_a_link_holds_the_whole_view(opened, atlas):
    one = opened().go(atlas, "f=nee&q=std&m=4&c=difference&b=nee.range&bm=9&at=45,25&v=20,40,3&p=globe&theme=dark&dots=false")
    address = one.page.evaluate("new Promise(done => setTimeout(() => done(location.hash), 500))")
    for part in ("f=nee", "q=std", "m=4", "c=difference", "b=nee.range", "bm=9", "p=globe", "theme=dark", "dots=false", "at=45"):
        assert part in address.replace("%2C", ",")
    two = opened().go(atlas, address[1:])
    two.page.wait_for_selector("#panel .headline")
    assert [two.page.input_value(f"#{n}") for n in ("show", "compare", "other", "other-month", "month")] == [
        "std",
        "difference",
        "nee.range",
        "9",
        "4",
    ]
    assert two.page.get_attribute("html", "data-theme") == "dark" and not two.page.is_checked("#dots")
    pictures = [o.page.evaluate("document.querySelector('#pane-a .cells').toDataURL()") for o in (one, two)]
    assert len(pictures[0]) > 5000 and pictures[0] == pictures[1]


def test_the_view_is_saved_as_a_picture(opened, atlas, tmp_path):
    one = opened().go(atlas)
    with one.page.expect_download() as waiting:
        one.page.click("#png")
    waiting.value.save_as(tmp_path / "view.png")
    from PIL import Image

    with Image.open(tmp_path / "view.png") as picture:
        assert picture.width > 1000 and len(picture.convert("RGB").getcolors(1_000_000)) > 50
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    shutil.copy(tmp_path / "view.png", SCREENSHOTS / "saved.png")


def test_two_runs_stand_side_by_side_and_are_subtracted(opened, atlas, climatology):
    one = opened().go(atlas, "c=two&br=mean&b=gpp.mean&v=22.5,7.5,3&dots=false")
    assert one.coloured("pane-a") > 0.05 and one.coloured("pane-b") > 0.05
    assert "run mean" in one.text("#legend-b p")
    other = one.page.locator("#pane-b").bounding_box()
    one.page.mouse.move(other["x"] + other["width"] / 2, other["y"] + other["height"] / 2)
    one.page.wait_for_selector("#tip:not([hidden])")
    with xr.open_dataset(climatology.path("maps/gpp_climatology.nc")) as ds:
        july = float(ds["gpp"].sel(lat=7.5, lon=22.5)[6])
    assert number(one.text("#tip").split("\n")[1].split()[0]) == pytest.approx(july, abs=0.06)
    middle = "c => c.getContext('2d').getImageData(c.width / 2, c.height / 2, 1, 1).data[3]"
    assert one.page.locator("#pane-b .cells").evaluate(middle) == 255, "the other run's own grid lies under its map"
    one.shoot("desktop-two-runs")
    one.drawn(lambda: one.page.select_option("#compare", "difference"))
    assert one.page.is_hidden("#pane-b") and "−" in one.text("#legend-a p") and one.coloured() > 0.05


def test_what_cannot_be_subtracted_is_told(opened, atlas):
    one = opened()
    one.go(atlas, "c=difference&b=air_temperature", drawn=False)
    one.page.wait_for_selector("#problem p")
    assert "cannot be subtracted" in one.text("#problem")
    assert any("cannot be subtracted" in text for text in one.complaints)
    one.complaints.clear()


def test_how_much_carbon_does_the_amazon_take_up_in_july(opened, atlas, daily):
    one = opened().go(atlas, "m=1")
    one.page.click("#tab-regions")
    one.page.select_option("#region", "SREX-AMZ")
    one.page.click(".months button >> nth=6")
    one.page.wait_for_selector(".answer:has-text('In July of 2012')")
    table = pd.read_csv(daily.path("regions.csv"))
    row = table[(table.region == "SREX-AMZ") & (table.month == 7)].set_index("flux")
    truth = content(atlas / "data/regions.js")["reference"]["2012"]["SREX-AMZ"]
    for flux in ("gpp", "nee"):
        size, digits = row.loc[flux, "std"], error_digits(row.loc[flux, "std"])
        assert one.text(f"[data-answer={flux}]") == f"{abs(row.loc[flux, 'mean']):.{digits}f} PgC"
        sign = np.sign(row.loc[flux, "mean"])
        assert f" ± {size:.{digits}f} (truth {sign * truth[flux][7][0]:.{digits}f})".replace("-", "−") in one.text(".answer")
    assert "get wrong together" in one.text(".answer") and "over the members" not in one.text("#panel")
    bar = one.page.locator(".months button").nth(6).get_attribute("aria-label").replace("−", "-")
    assert re.search(r"90 % interval (\S+) to (\S+), truth (\S+)", bar), bar
    assert one.page.locator(".months .truth").count() == 12
    assert "10.5194/bg-21-5079-2024" not in one.text("#panel") or "published" in one.text("#panel")
    one.shoot("desktop-region")


def test_how_sure_are_you_here(opened, atlas):
    one = opened().go(atlas, "v=25,45,4&dots=false")
    box = one.page.locator("#pane-a").bounding_box()
    one.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    one.page.wait_for_selector(".trust")
    said = one.text(".trust")
    assert "90 %" in said and "Dissimilarity" in said and ("know land like this" in said or "know little" in said)


def test_how_did_you_do_at_my_tower(opened, atlas, daily):
    metrics = pd.read_csv(daily.path("evaluation/site_metrics.csv"), keep_default_na=False)
    row = metrics[(metrics.model == "tamrl") & (metrics.flux == "gpp") & (metrics.scale == "day")].iloc[-1]
    one = opened().go(atlas)
    one.page.fill("#search", row.site)
    one.page.keyboard.press("Enter")
    one.page.wait_for_selector(".trust")
    assert f"{float(row.rmse):.2f}" in one.text(".trust") and one.text("#panel h2") == row.site
    assert "lightgbm" in one.text("#panel .scroll table")  # the first table is the key of the chart, where rivals are off
    one.page.wait_for_selector("#panel .plot canvas")
    one.shoot("desktop-tower")


@pytest.mark.parametrize(
    ("text", "heading"), [("45 N 25 E", "45.0° N, 25.0° E"), ("44.1, 27.3", "45.0° N, 25.0° E"), ("amaz", "Amazon")]
)
def test_search_finds_places_and_regions(opened, atlas, text, heading):
    one = opened().go(atlas, "tab=regions")
    one.page.wait_for_selector("#region")
    one.page.focus("#pane-a")
    one.page.keyboard.press("/")
    one.page.keyboard.type(text)
    one.page.wait_for_selector("#hits [role=option]")
    one.page.keyboard.press("Enter")
    one.page.wait_for_selector(f"#panel h2:has-text('{heading}')")


def test_towers_are_filtered_by_class(opened, atlas):
    one = opened().go(atlas, "tab=towers")
    one.page.wait_for_selector("#filter-igbp")
    every = one.page.locator("#panel .list li").count()
    kind = one.page.locator("#filter-igbp option").nth(1).get_attribute("value")
    one.page.select_option("#filter-igbp", kind)
    one.page.wait_for_selector("#panel p:has-text('Of 12 towers')", state="detached")
    kept = one.page.locator("#panel .list li").all_inner_texts()
    assert 0 < len(kept) < every == 12 and all(kind in text for text in kept)


def test_keys_move_the_map_and_choose_a_cell(opened, atlas):
    one = opened().go(atlas, "v=25,45,4&dots=false")
    one.page.focus("#pane-a")
    for key in ("ArrowRight", "ArrowLeft", "+", "-", "Enter"):
        one.page.keyboard.press(key)
    one.page.wait_for_selector("#panel .headline")
    one.drawn(lambda: one.page.keyboard.press("]"))
    assert one.text("#month-name") == "August 2012"
    one.drawn(lambda: one.page.keyboard.press("3"))
    assert one.page.get_attribute("[data-flux=nee]", "aria-pressed") == "true"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_phone_shows_it_all(opened, atlas, theme):
    one = opened(
        viewport={"width": 390, "height": 844}, device_scale_factor=2, has_touch=True, is_mobile=True, color_scheme=theme
    )
    one.go(atlas, "v=25,45,4&dots=false")
    assert one.page.evaluate("document.documentElement.scrollWidth") <= 390
    box = one.page.locator("#pane-a").bounding_box()
    one.page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    one.page.wait_for_selector("#panel .plot canvas")
    for target in ("#play", "#theme", "[data-flux=gpp]", "#tab-place", "#in"):
        size = one.page.locator(target).bounding_box()
        assert min(size["width"], size["height"]) >= 40, f"{target} is too small for a finger"
    one.shoot(f"phone-{theme}", full_page=True)


@pytest.mark.parametrize("damage", ["missing", "cut", "garbled"])
def test_broken_data_show_a_message_and_never_an_empty_page(opened, atlas, tmp_path, damage):
    copy = broken(atlas, tmp_path)
    file = copy / "data/2012/gpp.mean/0.js"
    text = file.read_text()
    if damage == "missing":
        file.unlink()
    else:
        file.write_text(text[: len(text) // 2] if damage == "cut" else re.sub(r',"(.{40})', ',"' + "A" * 40, text))
    one = opened()
    one.go(copy, drawn=False)
    one.page.wait_for_selector("#problem p")
    assert f"is {'missing' if damage == 'missing' else 'broken'}" in one.text("#problem") and "gpp.mean/0.js" in one.text(
        "#problem"
    )
    file.write_text(text)
    one.drawn(lambda: one.page.click("#problem button"))
    assert one.page.is_hidden("#problem") and one.coloured() > 0.1
    one.complaints.clear()


@pytest.mark.parametrize("name", ["index.js", "towers/{site}.js", "regions.js"])
def test_files_that_are_gone_are_named(opened, atlas, tmp_path, name):
    copy = broken(atlas, tmp_path)
    site = sorted((copy / "data/towers").glob("*.js"))[0].stem
    (copy / "data" / name.format(site=site)).unlink()
    one = opened()
    one.go(copy, {"index.js": "", "regions.js": "tab=regions"}.get(name, f"tab=towers&tower={site}"), drawn=False)
    where = "#starting h1" if name == "index.js" else "#panel .problem"
    one.page.wait_for_selector(where)
    assert name.format(site=site) in one.text("#starting" if name == "index.js" else where)
    one.complaints.clear()


def test_an_unknown_address_opens_at_the_start(opened, atlas):
    one = opened().go(atlas, "f=xyz&q=nothing&m=99&v=a,b,c&at=1000,5&y=1850&tower=none&region=none&p=cube")
    assert one.text("#month-name") == "July 2012" and one.coloured() > 0.1


def luminance(colour: str) -> float:
    digits = colour.lstrip("#")
    digits = "".join(c * 2 for c in digits) if len(digits) == 3 else digits
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_stands_out_as_wcag_aa_asks(theme):
    blocks = re.findall(r":root(\[data-theme=\"dark\"\])? \{(.*?)\n\}", (SITE / "style.css").read_text(), re.DOTALL)
    found: dict[str, str] = {}
    for dark, body in blocks:
        if not dark or theme == "dark":
            found |= dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{3,8})", body))
    text = [(ink, back) for ink in ("ink", "soft") for back in ("card", "paper", "highlight", "good", "poor")]
    text += [("accent-ink", "accent"), ("accent", "card"), ("warn", "card"), ("warn", "good"), ("warn", "poor")]
    shapes = [("gpp", "card"), ("reco", "card"), ("nee", "card"), ("mark", "ocean"), ("good-edge", "card"), ("poor-edge", "card")]
    for least, pairs in ((4.5, text), (3.0, shapes)):
        for front, back in pairs:
            light, dim = sorted((luminance(found[front]), luminance(found[back])), reverse=True)
            assert (light + 0.05) / (dim + 0.05) >= least, f"{front} on {back}: {(light + 0.05) / (dim + 0.05):.2f}"


def test_the_program_names_the_licences_of_its_libraries(site):
    text = (site / "licences.txt").read_text()
    assert (
        all(name in text for name in ("d3-geo 3.1.2", "uplot 1.6.32", "topojson-client 3.1.0", "world-atlas 2.0.2"))
        and "esbuild" not in text
    )
    assert "import(" not in (site / "atlas.js").read_text() and sum(f.stat().st_size for f in site.iterdir()) < 1.2e6


def test_the_lock_pins_every_library_and_names_no_registry():
    lock = json.loads((SITE / "package-lock.json").read_text())
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert all("integrity" in entry for entry in packages.values())
    assert not any("resolved" in entry for entry in packages.values())
    wanted = json.loads((SITE / "package.json").read_text())
    assert {**wanted["dependencies"], **wanted["devDependencies"]}.items() <= {
        name.removeprefix("node_modules/"): entry["version"] for name, entry in packages.items()
    }.items()


def test_a_program_that_cannot_be_built_is_told(tmp_path):
    sources = [str(p) for p in sorted(SITE.glob("*.*")) if p.name != "package-lock.json"]
    with pytest.raises(InputError, match="could not be built") as caught:
        build_site(sources=sources, site=str(tmp_path / "site"))
    assert "package-lock.json" in str(caught.value) and "atlas: null" in str(caught.value)
    assert not (tmp_path / "site").exists()

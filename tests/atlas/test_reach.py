"""The atlas in Chromium: places by any name, honest words on a place, phones, print and forced colours."""

import io
import re

import pytest
from PIL import Image

from tests.atlas.conftest import broken, edited
from tests.welcome import content

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


@pytest.mark.parametrize(
    "text",
    ["45 N 25 E", "45°00'N 25°00'E", "45 0 0 N, 25 0 0 E", "N45 E25", "25E 45N", "45,0; 25,0", "lon=25 lat=45", "95 N 25 E"],
)
def test_coordinates_are_read_in_any_form(opened, atlas, text):
    one = opened().go(atlas)
    one.page.fill("#search", text)
    one.page.wait_for_selector("#hits li")
    if text.startswith("95"):
        assert "Nothing found" in one.text("#hits"), "there is no such latitude"
        return
    one.page.keyboard.press("Enter")
    one.page.wait_for_selector("#panel h2:has-text('45.0° N, 25.0° E')")


ARRIVED = """([lon, lat]) => {
  const view = location.hash.match(/v=([-\\d.]+)%2C([-\\d.]+)%2C([\\d.]+)/);
  if (!view) return false;
  const [x, y, zoom] = view.slice(1).map(Number);
  const reach = zoom > 3 ? 6 : 25;
  return zoom > 1.5 && Math.abs(x - lon) < Math.max(5, reach / 2) && Math.abs(y - lat) < reach;
}"""
"""Whether the view lies at a place; the margins of the map move the middle of a wide view."""


@pytest.mark.parametrize(
    ("text", "name", "lat", "lon"),
    [
        ("germ", "Germany", 51, 10),
        ("congo", "Democratic Republic Congo", -3, 23),
        ("ivory", "Côte d'Ivoire", 8, -6),
        ("usa", "United States of America", 40, -100),
        ("europ", "Europe", 52, 15),
        ("sao", "São Tomé and Principe", 0, 7),
    ],
)
def test_countries_are_found_by_their_names(opened, atlas, text, name, lat, lon):
    one = opened().go(atlas)
    one.page.fill("#search", text)
    one.page.locator("#hits b", has_text=re.compile(f"^{re.escape(name)}$")).first.wait_for()
    one.page.locator("#hits li", has_text=name).first.dispatch_event("pointerdown")
    one.page.wait_for_function(ARRIVED, arg=[lon, lat])


def test_zones_are_found_by_what_people_call_them(opened, atlas):
    one = opened().go(atlas)
    one.page.wait_for_function("document.querySelector('#live').textContent !== null")
    one.page.fill("#search", "tropics")
    one.page.wait_for_selector("#hits [role=option]:has-text('tropics, southern')")
    one.page.fill("#search", "needleleaf")
    one.page.wait_for_selector("#hits [role=option]:has-text('Evergreen needleleaf forest')")


def test_land_without_vegetation_is_no_estimate(opened, atlas, tmp_path):
    copy = broken(atlas, tmp_path)
    index = content(copy / "data/index.js")
    bare = {
        "group": "land",
        "name": "vegetated",
        "title": "Land with vegetation",
        "unit": "",
        "quantum": 0.001,
        "palette": "density",
    }
    layers = [x for x in index["layers"] if x["name"] != "vegetated"] + [bare | {"low": 0, "high": 1, "steps": 1, "classes": []}]
    layers = [x | ({"quantum": 0.0} if x["group"] == "flux" and not x["name"].endswith("truth") else {}) for x in layers]
    zero = content(copy / "data/static/applicability/0.js")
    edited(copy, layers=[x | ({"quantum": 0.0} if x["name"] == "vegetated" else {}) for x in layers])
    (copy / "data/static/vegetated").mkdir(exist_ok=True)
    (copy / "data/static/vegetated/0.js").write_text(f'ATLAS.put("static/vegetated/0","{zero}");')
    one = opened().go(copy, "at=45,25&v=25,45,4&dots=false")
    one.page.wait_for_selector(".trust")
    assert "Set to zero, not an estimate" in one.text(".trust") and "90 %" not in one.text(".trust")
    assert "set to zero" in one.text(".headline .gpp") and "Set to zero" in one.text("#live")
    assert one.page.locator(".trust.good").count() == 0
    box = one.page.locator("#pane-a").bounding_box()
    one.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    one.page.wait_for_selector("#tip:has-text('set to zero, not an estimate')")


@pytest.mark.parametrize("skill", ["no demonstrated spatial skill (12 towers)", "NSE of site means 0.9 [0.8, 0.95]"])
def test_a_flux_without_skill_is_never_green(opened, atlas, tmp_path, skill):
    about = content(atlas / "data/index.js")["about"]
    copy = edited(broken(atlas, tmp_path), about=about | {"skill": about["skill"] | {"nee": skill}})
    one = opened().go(copy, "f=nee&at=45,25")
    one.page.wait_for_selector(".trust")
    facts = one.page.locator(".facts li").all_inner_texts()
    assert skill in facts[0] and "Nearest tower" in facts[2] and re.search(r"[Hh]eld-out tower", facts[1])
    if skill.startswith("no "):
        assert one.page.locator(".trust.poor").count() == 1 and "no demonstrated skill" in one.text(".trust strong")
    else:
        assert "no demonstrated skill" not in one.text(".trust")
    assert "On a single day of July" in one.text(".trust")


def test_a_tap_near_a_tower_reaches_the_cell_and_its_answer(opened, atlas):
    tower = content(atlas / "data/index.js")["towers"][0]
    one = opened(**PHONE).go(atlas, f"v={tower['lon']},{tower['lat']},4&p=globe")
    box = one.page.locator("#pane-a").bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    one.page.touchscreen.tap(middle[0] + 12, middle[1])
    one.page.wait_for_selector("#panel .headline, #panel .note")
    assert one.page.get_attribute("#tab-place", "aria-selected") == "true"
    one.page.wait_for_function("document.querySelector('aside').getBoundingClientRect().top < 0.6 * innerHeight")
    one.page.evaluate("scrollTo(0, 0)")
    one.page.touchscreen.tap(*middle)
    one.page.wait_for_selector(f"#panel h2:has-text('{tower['site']}')")


def test_a_phone_folds_its_controls_and_scrolls_over_the_map(opened, atlas):
    one = opened(**PHONE).go(atlas)
    assert one.page.is_visible("text=Report") and not one.page.is_visible("#compare")
    one.page.click("#more")
    assert one.page.is_visible("#compare") and one.page.get_attribute("#more", "aria-expanded") == "true"
    touch = "getComputedStyle(document.querySelector('#pane-a')).touchAction"
    assert one.page.evaluate(touch) == "pan-y"
    one.page.click("#in")
    one.page.wait_for_function(f"() => {touch} === 'none'")


@pytest.mark.parametrize("tab", ["place", "regions"])
def test_print_shows_the_map(opened, atlas, tmp_path, tab):
    one = opened().go(atlas, f"tab={tab}&at=45,25")
    one.page.wait_for_selector("#panel h2")
    one.page.emulate_media(media="print")
    one.page.set_viewport_size({"width": 760, "height": 1080})  # A4 without its margins
    with Image.open(io.BytesIO(one.page.screenshot())) as picture:
        colours = picture.convert("RGB").getcolors(1_000_000)
    assert sum(n for n, (r, g, b) in colours if g > r + 15 and g > b) > 3000, "GPP is green"
    map_box, answer = one.page.locator("#pane-a").bounding_box(), one.page.locator("#panel").bounding_box()
    assert map_box["height"] > 300 and map_box["y"] + map_box["height"] <= answer["y"] + 1 and answer["width"] > 600
    assert one.page.is_hidden("#show") and one.page.is_hidden("#month") and one.page.is_visible("#legend-a .ramp")


def test_forced_colours_keep_ramps_and_choices(opened, atlas):
    one = opened(forced_colors="active").go(atlas, "tab=regions")
    one.page.wait_for_selector("#region")
    style = "([s, name]) => getComputedStyle(document.querySelector(s))[name]"
    assert "gradient" in one.page.evaluate(style, ["#legend-a .ramp", "backgroundImage"])
    pressed = one.page.evaluate(style, ["#flux [aria-pressed=true]", "backgroundColor"])
    assert pressed != one.page.evaluate(style, ["#flux [aria-pressed=false]", "backgroundColor"])
    chosen = one.page.evaluate(style, ["#tab-regions", "backgroundColor"])
    assert chosen != one.page.evaluate(style, ["#tab-place", "backgroundColor"])

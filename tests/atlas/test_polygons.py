"""Polygons of the reader's own in the atlas: their totals are those of `polygon_totals`, and bad files are told."""

import json
import re

import numpy as np
import pytest
import xarray as xr

import tamrl
from tamrl import config
from tamrl.api.totals import polygon_totals
from tamrl.atlas.stage import build_atlas
from tamrl.errors import InputError
from tamrl.grid import Grid
from tamrl.layout import File
from tamrl.maps.land import describe_land
from tamrl.polygons.reading import read_polygons
from tamrl.polygons.shares import polygon_share
from tamrl.run_record import Provenance
from tests.atlas.conftest import broken, edited
from tests.atlas.test_history import saved
from tests.welcome import content


def ring(*corners: tuple[float, float]) -> list:
    return [list(corner) for corner in (*corners, corners[0])]


WIDE = [ring((60, 35), (125, 35), (125, 70), (60, 70)), ring((80, 45), (95, 45), (95, 58), (80, 58))]
SHAPES = {  # on land of maps and predictions alike, which the fixtures make by themselves
    "GRA": {"type": "Polygon", "coordinates": WIDE},
    "a, slanted <one>": {"type": "Polygon", "coordinates": [ring((13.3, 41.2), (71.9, 48.7), (33.1, 66.6))]},
    "two parts": {
        "type": "MultiPolygon",
        "coordinates": [[ring((70, 46), (104, 52), (88, 69))], [ring((110, 45), (122, 47), (118, 62))]],
    },
}


def collection(shapes: dict, **members) -> str:
    features = [{"type": "Feature", "properties": {"name": name}, "geometry": shape} for name, shape in shapes.items()]
    return json.dumps({"type": "FeatureCollection", "features": features} | members)


def choose(one, text: str, name: str = "mine.geojson") -> None:
    one.page.wait_for_selector("#polygons-file", state="attached")
    one.page.set_input_files("#polygons-file", {"name": name, "mimeType": "application/geo+json", "buffer": text.encode()})


def summed_from(one) -> list[str]:
    """Files asked for that are of use to sums of polygons alone."""
    return [url for url in one.asked if ".members/" in url or ".month_std/" in url]


@pytest.mark.parametrize("which", ["daily", "climatology"])
def test_totals_of_polygons_are_those_of_the_command(opened, atlas, which, request, tmp_path):
    made = request.getfixturevalue(which)
    Provenance(run=made.name, config=config.load({}).model_dump(mode="json")).write(made.path(File.PROVENANCE.value))
    (tmp_path / "mine.geojson").write_text(collection(SHAPES))
    expected = polygon_totals(tamrl.open_run(made.folder), read_polygons(tmp_path / "mine.geojson"))
    one = opened().go(made.folder / "atlas", "tab=regions")
    one.page.wait_for_selector("#panel[data-shown]")
    assert not summed_from(one)
    choose(one, collection(SHAPES))
    one.page.wait_for_selector("#panel h2:has-text('GRA')")
    assert "nothing was uploaded" in one.text(".polygons") and summed_from(one)
    _, table = saved(one, "#regions-csv", tmp_path)
    own = table[table["kind"] == "polygon"].set_index(["name", "flux", "month"])
    assert set(own.index.get_level_values("name")) == set(SHAPES) and len(own) == 3 * 3 * 13
    for row in expected.itertuples():
        year, months = own.loc[(row.polygon, row.flux, 0)], own.loc[(row.polygon, row.flux)].loc[1:12]
        scale = abs(row.mean) + row.std
        for name in ("mean", "std", "q05", "q95"):
            assert year[name] == pytest.approx(getattr(row, name), abs=2e-3 * scale), (row.polygon, row.flux, name)
        assert year["std"] == pytest.approx(row.std, rel=1e-2) and row.std > 0
        assert year["area_m2"] == pytest.approx(row.area_m2, rel=5e-3)
        assert months["mean"].sum() == pytest.approx(year["mean"], abs=2e-5 * scale)
        assert year["std"] < months["std"].sum()
    if which == "daily":
        assert own["reference"].notna().all() and (own["compared_share"] == 1).all()
    one.shoot(f"polygons-{which}")


def test_a_reference_with_gaps_is_compared_over_what_it_covers(opened, gappy, site, tmp_path):
    build_atlas(**gappy.keywords(site))
    one = opened().go(gappy.folder / "atlas", "tab=regions&m=1")
    choose(one, collection({"mine": SHAPES["GRA"]}))
    one.page.wait_for_selector("#panel h2:has-text('mine')")
    said = one.text("#panel .answer")
    text, table = saved(one, "#regions-csv", tmp_path)
    own = table[(table["name"] == "mine") & (table["flux"] == "gpp")].set_index("month")
    cube = xr.open_zarr(gappy.path("drivers/cube.zarr"))
    land = cube["land_fraction"].values * Grid.of_cells(cube).area()
    land = land * polygon_share(SHAPES["GRA"]["coordinates"], cube["lat"].values, cube["lon"].values)
    with xr.open_dataset(gappy.path("inputs/truth/gpp_2012.nc")) as ds:
        known = ds["gpp"].sel(time="2012-01").sum("time", skipna=False).values
    members = (
        xr.open_zarr(gappy.path("predictions/2012.zarr"))["gpp"].sel(time="2012-01").mean("member").sum("time", skipna=False)
    )
    share = describe_land(cube, vegetated_only=True).share
    mine = (members.transpose("lat", "lon") * share).values
    both = np.isfinite(known) & np.isfinite(mine)
    expected = [(np.where(both, part, 0.0) * land).sum() / 1e15 for part in (known, mine)]
    covered = (both * land).sum() / (np.isfinite(mine) * land).sum()
    found = own.loc[1, ["reference", "compared_estimate", "compared_share"]].astype(float)
    np.testing.assert_allclose(found, [*expected, covered], rtol=5e-3)
    assert 0.3 < covered < 0.9 and expected[1] < 0.95 * own.loc[1, "mean"]
    assert f"on the {100 * covered:.0f} % of the land that it covers" in said and "compared_share" in text
    assert own.loc[7, ["reference", "compared_estimate", "compared_share"]].isna().all()
    assert one.page.locator(".months .truth").count() == 0, "nothing is drawn beside an interval of other land"
    one.page.select_option("#region", "SREX-CEU")
    one.page.wait_for_selector(".months .truth", state="attached")
    assert one.page.locator(".months .truth").count() == 11 and "its gaps filled with the estimate" in one.text("#panel")
    one.shoot("reference-with-gaps", full_page=True)


def test_the_mean_is_the_total_over_land_and_days(opened, atlas, tmp_path):
    one = opened().go(atlas, "tab=regions")
    choose(one, collection({"mine": SHAPES["GRA"]}))
    one.page.wait_for_selector("#panel h2:has-text('mine')")
    _, table = saved(one, "#regions-csv", tmp_path)
    july = table[(table["kind"] == "polygon") & (table["month"] == 7) & (table["flux"] == "gpp")].iloc[0]
    days = content(atlas / "data/index.js")["sums"]["days"]["2012"][6]
    said = one.text("#intervals")
    mean = float(re.search(r"Mean of its land: GPP ([\d.]+)", said).group(1))
    assert mean == pytest.approx(july["mean"] * 1e15 / july["area_m2"] / days, rel=0.06)
    assert "90 % interval" in said and "gC m⁻² d⁻¹" in said


TRIANGLE = {"type": "Polygon", "coordinates": [ring((10, 40), (40, 40), (25, 60))]}
METRES = {"type": "Polygon", "coordinates": [ring((4e6, 3e6), (5e6, 3e6), (5e6, 4e6))]}
EAST = {"type": "Polygon", "coordinates": [ring((170, 0), (190, 0), (190, 20))]}
SEA = {"type": "Polygon", "coordinates": [ring((-170, 0), (-150, 0), (-150, 20), (-170, 20))]}
CRS = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::3035"}}
BAD = {
    "another system": (collection({"a": TRIANGLE}, crs=CRS), ["EPSG::3035", "degrees east and north", "ogr2ogr"]),
    "a system as text": (collection({"a": TRIANGLE}, crs="EPSG:25832"), ["EPSG:25832", "degrees east and north", "ogr2ogr"]),
    "metres": (collection({"a": METRES}), ["4000000", "degrees east and north", "ogr2ogr"]),
    "over the edge": (collection({"fiji": EAST}), ["190", "cut polygons at 180°"]),
    "points": (collection({"a": {"type": "Point", "coordinates": [1, 2]}}), ["1 × Point", "polygons or multipolygons"]),
    "no features": (collection({}), ["holds no features"]),
    "no bytes": ("", ["is empty"]),
    "no JSON": ("PK\x03\x04 a shapefile", ["is not GeoJSON", "ogr2ogr"]),
    "no type": ("{}", ["no “type”"]),
    "twice": (collection({"a": TRIANGLE})[:-2] + "," + collection({"a": TRIANGLE}).split("[", 1)[1], ["“a”", "once"]),
    "a line": (collection({"a": {"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]}}), ["2 corners"]),
    "letters": (collection({"a": {"type": "Polygon", "coordinates": [[["a", 0], [1, 1], [2, 2]]]}}), ["no pair of numbers"]),
    "no outline": (collection({"a": {"type": "MultiPolygon", "coordinates": []}}), ["without an outline"]),
    "sea": (collection({"atlantis": SEA}), ["No land that carries flux", "“atlantis”"]),
    "many": (collection({f"p{k}": TRIANGLE for k in range(101)}), ["101 polygons", "tamrl extract"]),
}


def test_bad_files_are_told_and_what_was_shown_stays(opened, atlas):
    one = opened().go(atlas, "tab=regions")
    choose(one, collection({"good": TRIANGLE}))
    one.page.wait_for_selector("#panel h2:has-text('good')")
    for name, (text, words) in BAD.items():
        choose(one, text, f"{name}.json")
        one.page.wait_for_selector(f".polygons .problem:has-text({json.dumps(words[0], ensure_ascii=False)})")
        said = one.text(".polygons .problem")
        assert all(word in said for word in words), (name, said)
        assert one.text("#panel .answer h2") == "good" and "mine.geojson" in one.text(".polygons")
    choose(one, collection({"better": TRIANGLE}))
    one.page.wait_for_selector("#panel h2:has-text('better')")
    assert (
        one.page.locator(".polygons .problem").count() == 0 and one.page.locator("#region option:has-text('good')").count() == 0
    )
    one.page.click("#polygons-remove")
    one.page.wait_for_selector("#panel h2:has-text('All land')")
    assert one.page.locator("#region optgroup[label='Your polygons']").count() == 0


DEGREES = ["urn:ogc:def:crs:OGC:1.3:CRS84", "http://www.opengis.net/def/crs/OGC/1.3/CRS84", "EPSG:4326", None]
OTHERS = ["EPSG:43260", "urn:ogc:def:crs:EPSG::3857", ""]


def test_page_and_command_take_the_same_reference_systems(opened, atlas, tmp_path):
    one = opened().go(atlas, "tab=regions")
    for k, name in enumerate([*OTHERS, *DEGREES]):
        crs = None if name is None else {"type": "name", "properties": {"name": name}}
        text = collection({f"p{k}": TRIANGLE}, crs=crs)
        (tmp_path / "mine.geojson").write_text(text)
        if name in DEGREES:
            assert list(read_polygons(tmp_path / "mine.geojson")) == [f"p{k}"]
        else:
            with pytest.raises(InputError, match="degrees east and north"):
                read_polygons(tmp_path / "mine.geojson")
        choose(one, text, f"{k}.json")
        shown = f"#panel h2:has-text('p{k}')" if name in DEGREES else f".polygons .problem:has-text('{k}.json is in the')"
        one.page.wait_for_selector(shown)


def test_polygons_of_another_file_are_summed_anew_in_the_other_run(opened, atlas):
    texts = []
    for shapes in ([TRIANGLE, SHAPES["GRA"]], [SHAPES["GRA"]]):
        one = opened().go(atlas, "c=two&br=mean&tab=regions")
        for k, shape in enumerate(shapes):
            choose(one, collection({"basin": shape}), f"{k}-{len(shapes)}.json")
            one.page.wait_for_selector(f".polygons .caption:has-text('{k}-{len(shapes)}.json')")
            one.page.wait_for_selector("#panel h2:has-text('basin') ~ #intervals")
        texts.append(one.text("#comparison"))
    assert texts[0] == texts[1] and "–" not in re.sub(r"[−–] *mean", "", texts[0])
    assert "mean (climatology)" in texts[0]


def test_another_run_of_an_earlier_version_leaves_the_numbers_of_this_one(opened, atlas, climatology, tmp_path):
    copy = broken(atlas, tmp_path / "daily")
    edited(broken(climatology.folder / "atlas", tmp_path / "mean"), sums=None)
    one = opened().go(copy, "c=two&br=mean&tab=regions")
    choose(one, collection({"basin": TRIANGLE}))
    one.page.wait_for_selector("#panel > .problem:has-text('run mean was made by an earlier version')")
    assert one.text("#panel .answer h2") == "basin" and one.page.locator("#intervals").count() == 1
    one.page.select_option("#region", "globe")
    one.page.wait_for_selector("#comparison")


DROP = """([text, times]) => {
  const held = new DataTransfer();
  held.items.add(new File([text.repeat(times)], 'dropped.geojson'));
  const how = {dataTransfer: held, bubbles: true, cancelable: true};
  for (const kind of ['dragover', 'drop']) document.querySelector('#pane-a').dispatchEvent(new DragEvent(kind, how));
}"""


def test_a_file_dropped_on_the_page_is_summed(opened, atlas):
    one = opened().go(atlas)
    one.page.evaluate(DROP, [collection({"basin": TRIANGLE}), 1])
    one.page.wait_for_selector("#panel h2:has-text('basin')")
    assert "dropped.geojson" in one.text(".polygons") and not one.page.evaluate("document.documentElement.matches('.dropping')")
    one.drawn(lambda: one.page.click("[data-flux=nee]"))
    assert one.page.locator(".bars .name:has-text('basin')").count() == 1
    one.page.evaluate(DROP, [" " * 1000, 21_000])
    one.page.wait_for_selector(".polygons .problem:has-text('has 21 MB; at most 20 MB')")
    assert "Simplify" in one.text(".polygons .problem") and one.text("#panel .answer h2") == "basin"


@pytest.mark.parametrize("holds", ["no sums", "sums of another form"])
def test_an_atlas_of_an_earlier_version_says_that_it_cannot(opened, atlas, holds, tmp_path):
    sums = content(atlas / "data/index.js")["sums"]
    del sums["towers"]
    copy = edited(broken(atlas, tmp_path), sums=None if holds == "no sums" else sums)
    one = opened().go(copy, "tab=regions")
    choose(one, collection({"basin": TRIANGLE}))
    one.page.wait_for_selector(".polygons .problem:has-text('earlier version')")


def test_a_region_is_summed_over_its_mapped_land(opened, regional, site, tmp_path):
    build_atlas(**regional.keywords(site))
    Provenance(run=regional.name, config=config.load({}).model_dump(mode="json")).write(regional.path(File.PROVENANCE.value))
    (tmp_path / "mine.geojson").write_text(collection({"slanted": SHAPES["a, slanted <one>"]}))
    expected = polygon_totals(tamrl.open_run(regional.folder), read_polygons(tmp_path / "mine.geojson")).set_index("flux")
    one = opened().go(regional.folder / "atlas", "tab=regions")
    choose(one, (tmp_path / "mine.geojson").read_text())
    one.page.wait_for_selector("#panel h2:has-text('slanted')")
    _, table = saved(one, "#regions-csv", tmp_path)
    own = table[(table["kind"] == "polygon") & (table["month"] == 0)].set_index("flux")
    np.testing.assert_allclose(own["std"], expected["std"].loc[own.index], rtol=1e-2)
    assert "land of the polygon beyond it" in one.text("#panel .answer .warn")

import re
from html.parser import HTMLParser

import jinja2
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib import image

from tamrl import contracts
from tamrl.errors import ContractError
from tamrl.evaluation.bootstrap import TowerGroups
from tamrl.grid import Grid
from tamrl.layout import File, RunFiles, RunLayout
from tamrl.report import style
from tamrl.report.figures import budgets, calibration, towers
from tamrl.report.map_sums import SummedMaps, sum_flux
from tamrl.report.pages import html, tables
from tamrl.report.stage import sum_maps, write_report
from tamrl.report.sums import LandCells


class Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.ids, self.links, self.images = [], [], [], []

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.tags.append(tag)
        self.ids += [found["id"]] if "id" in found else []
        self.links += [found["href"]] if "href" in found else []
        self.images += [found] if tag == "img" else []


@pytest.fixture(scope="module")
def report(day_run):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(style, "DPI", 70)  # faster
        write_report(**day_run.keywords())
    text = (day_run.folder / "report.html").read_text()
    reader = Reader()
    reader.feed(text)
    return text, reader, day_run


def test_the_report_needs_nothing_from_outside(report):
    text, reader, _ = report
    assert all(i["src"].startswith("data:image/png;base64,") for i in reader.images)
    assert "script" not in reader.tags and "link" not in reader.tags and "@import" not in text and "url(" not in text
    anchors = {link[1:] for link in reader.links if link.startswith("#")}
    assert anchors and anchors <= set(reader.ids)
    assert not [link for link in reader.links if "://" in link or link.startswith(("/", ".."))]


def test_figures_lead_to_their_full_size_and_tables_to_their_files(report):
    _, reader, run = report
    files = [link for link in reader.links if not link.startswith("#")]
    assert sum(link.startswith("figures/") for link in files) == len(reader.images)
    tables = {link for link in files if not link.startswith("figures/")}
    assert {"budgets.csv", "evaluation/site_metrics.csv", "evaluation/reliability.csv", "towers/quality.csv"} <= tables
    assert [link for link in files if link != "provenance.json" and not (run.folder / link).is_file()] == []


def test_no_id_stands_twice_and_no_head_of_a_table_is_empty(report):
    text, reader, _ = report
    assert len(set(reader.ids)) == len(reader.ids)
    assert "<th" in text and not re.search(r"<th[^>]*>\s*</th>", text)


def test_every_picture_has_an_alternative_text_and_is_also_a_file(report):
    _, reader, run = report
    assert [i["alt"] for i in reader.images if len(re.findall(r"\d", i["alt"])) < 3] == [], "numbers, not the kind of picture"
    files = sorted((run.folder / "figures").glob("*.png"))
    assert len(files) == len(reader.images) >= 20
    for file in files:
        pixels = image.imread(file)
        assert pixels.shape[1] == 770
        assert pixels[..., :3].std() > 0.02, f"{file.name} is empty"


def test_alternative_texts_hold_the_numbers_of_the_run(report):
    _, reader, run = report
    alt = {i["src"]: i["alt"] for i in reader.images}.values()
    table = pd.read_csv(run.folder / "budgets.csv")
    globe = table[(table["region"] == "globe") & (table["flux"] == "gpp")].squeeze()
    total = f"GPP {globe['mean']:.1f} PgC yr⁻¹ ({globe['q05']:.1f} to {globe['q95']:.1f}), most in 23–0° S"
    assert sum(total in one for one in alt) == 1
    assert sum("band least often in" in one for one in alt) == 1
    with xr.open_dataset(run.folder / "maps/applicability.nc") as ds:
        area = Grid(run.resolution).area() * ds["applicability"].notnull()
        inside = float((ds["applicability"] * area).sum() / area.sum())
    assert sum(f"{100 * inside:.0f} % of the land lies inside" in one for one in alt) == 1


def test_pictures_come_before_tables_in_the_agreed_order(report):
    text, _, _ = report
    wanted = ["maps", "errors", "towers", "uncertainty", "budgets", "quality", "tables", "provenance"]
    places = [text.index(f'<section id="{name}"') for name in wanted]
    assert places == sorted(places)
    assert text.index('class="verdict"') < text.index('<figure id="figure-maps"') < text.index("<table")
    assert text.index("feedc0de") > text.index('<section id="provenance"'), "digests are no answer"


def test_numbers_come_from_the_files(report):
    text, _, run = report
    table = pd.read_csv(run.folder / "budgets.csv")
    globe = table[(table["region"] == "globe") & (table["flux"] == "gpp")].squeeze()
    assert f"{globe['mean']:.1f} ({globe['q05']:.1f} to {globe['q95']:.1f})" in text
    metrics = pd.read_csv(run.folder / "evaluation/site_metrics.csv", keep_default_na=False, na_values=[""])
    rows = metrics[
        (metrics["model"] == "tamrl") & (metrics["split"] == "kfold") & (metrics["flux"] == "gpp") & (metrics["scale"] == "day")
    ]
    assert f"<td>{rows['rmse'].median():.2f}</td>" in text
    assert f"<td>{rows['rmse'].quantile(0.9):.2f}</td>" in text
    assert "feedc0de" in text and "c0ffee" in text and "irrigated orchard" in text


def test_what_comes_from_data_is_escaped(report):
    text = report[0]
    assert "A &lt;virtual&gt; Earth" in text and "<virtual>" not in text


def test_the_head_says_that_the_world_is_simulated(report):
    text, reader, _ = report
    head = text[: text.index("<nav")]
    assert head.count("irtual Earth: simulated, not observed") == 2 and "world" in reader.ids, "in the title and below it"
    assert "compared with the truth" in head and "say nothing about the real Earth" in head
    assert "imitated: meteorology" in text and "no terms of data providers apply" in text


def test_five_lines_answer_first(report):
    text, _, run = report
    lines = re.findall(r'<li class="tile (\w*)">(.*?)</li>', text, re.S)
    assert [name for name, _ in lines] == ["gpp", "reco", "nee", "", "limit"]
    with xr.open_dataset(run.path("inputs/truth/gpp_2012.nc")) as truth, xr.open_dataset(run.path("maps/gpp_2012.nc")) as made:
        area = made["cell_area"] * made["land_fraction"]
        total = float((truth["gpp"].mean("time") * area).sum()) * truth.sizes["time"] / 1e15  # the steps that the run has
    number = float(re.search(r"Truth: ([\d.]+), (?:in|out)side the interval", lines[0][1]).group(1))
    assert number == pytest.approx(total, rel=0.02)
    table = pd.read_csv(run.folder / "evaluation/reliability.csv", keep_default_na=False, na_values=[""])
    ours = table.query("model == 'tamrl' and split == 'kfold' and scale == 'day' and intervals == 'members' and met == 'no'")
    assert bool(len(ours)) == ("leave their limits" in lines[4][1])
    assert "totals of GPP, RECO and NEE" in lines[4][1], "budgets that the fixture made up"
    assert re.search(r"\d+ % of the mapped land is unlike all towers", lines[4][1])


def test_a_total_far_from_published_ones_is_not_to_be_used(make_run, tmp_path, monkeypatch):
    monkeypatch.setattr(style, "DPI", 60)
    run = make_run(tmp_path, step="month", models=("tamrl",), towers=8, reference=False)
    write_report(**run.keywords())
    text = (tmp_path / "report.html").read_text()
    lines = dict(re.findall(r'<li class="tile (\w+)">(.*?)</li>', text, re.S))
    assert "Published: −6.1 to −5.4 (X-BASE" in lines["nee"] and "do not use this total" in lines["nee"]
    assert "Published: 106.0 to 130.0" in lines["gpp"] and "do not use this total" not in lines["gpp"]
    assert "No published total" in lines["reco"] and "error at held-out towers" not in text
    assert "towers that the model has not seen" in text


def test_the_headline_of_nee_carries_its_spatial_skill(report):
    text, _, _ = report
    tile = re.search(r'<li class="tile nee">.*?</li>', text, re.S).group()
    assert "NSE of site means" in tile


def test_a_climatology_without_reference_members_rivals_or_choices(make_run, tmp_path, monkeypatch):
    monkeypatch.setattr(style, "DPI", 60)
    options = {"step": "month", "labels": ("climatology",), "models": ("tamrl",), "members": 1, "reference": False}
    run = make_run(tmp_path, units="kg m-2 s-1", **options)
    write_report(**run.keywords())
    text = (tmp_path / "report.html").read_text()
    assert "maps.members: false" in text and "Only one model" in text and "No alternative choices" in text
    assert "compared with the" not in text and "a mean year" in text
    assert not list((tmp_path / "figures").glob("reference*"))
    assert "simulated" not in text and "imitated" not in text


def test_a_real_run_is_not_called_virtual_for_the_name_of_its_reference(make_run, tmp_path, monkeypatch):
    monkeypatch.setattr(style, "DPI", 60)
    run = make_run(tmp_path, step="month", labels=("climatology",), models=("tamrl",), towers=8)
    write_report(**run.keywords())
    text = (tmp_path / "report.html").read_text()
    assert "where the maps differ from the truth" in text and "simulated" not in text and "virtual Earth" not in text


def test_a_reference_on_another_grid_is_refused_and_nothing_is_written(make_run, tmp_path):
    run = make_run(tmp_path, step="month", labels=("2012",), models=("tamrl",), towers=8)
    for flux in ("gpp", "reco", "nee"):
        path = run.path(f"inputs/truth/{flux}_2012.nc")
        ds = xr.load_dataset(path)
        ds.isel(lat=slice(None, None, -1)).to_netcdf(path)
    with pytest.raises(ContractError, match="another grid"):
        write_report(**run.keywords())
    assert not (tmp_path / "report.html").exists() and not (tmp_path / "figures").exists()


def test_units_of_the_files_do_not_change_the_figures(make_run, tmp_path):
    options = {"step": "month", "models": ("tamrl",), "members": 2, "towers": 8, "reference": False}
    totals = []
    for units in ("g m-2 d-1", "kg m-2 s-1"):
        run = make_run(tmp_path / units.replace(" ", ""), units=units, **options)
        maps = RunFiles.of(str(run.folder), [run.path(f"maps/gpp_{label}.nc") for label in run.labels])
        with xr.open_dataset(maps(File.MAP, flux="gpp", label="2012")) as ds:
            fields = {name: ds[name].values for name in ("lat", "land_fraction", "cell_area")}
        sums = sum_flux(maps, "gpp", run.labels, {}, LandCells.of(**fields), step="month")
        totals.append(sums.totals(sums.mean)["globe"])
    assert totals[0] == pytest.approx(totals[1], rel=1e-4) and totals[0] > 1


def test_a_report_from_sums_of_each_label_is_that_of_the_maps(make_run, tmp_path, monkeypatch):
    monkeypatch.setattr(style, "DPI", 60)
    run = make_run(tmp_path, step="month", labels=("2011", "2012"), models=("tamrl",), members=2, towers=8)
    keywords, layout = run.keywords(), RunLayout.at(str(run.folder))
    read = SummedMaps.read(RunFiles.of(str(run.folder), keywords["files"]), run.labels, {}, step="month")
    sums = {label: layout(File.MAP_SUMS, label=label) for label in run.labels}
    truth = {label: keywords["reference"][k::2] for k, label in enumerate(run.labels)}
    for label, folder in sums.items():
        maps = [layout(file, flux=f, label=label) for file in (File.MAP, File.MEMBERS) for f in ("gpp", "reco", "nee")]
        sum_maps(files=maps, folder=str(run.folder), label=label, step="month", sums=folder, reference=truth[label])
    every = {layout(file, flux=f, label=lb) for file in (File.MAP, File.MEMBERS) for f in ("gpp", "reco", "nee") for lb in sums}
    first = layout(File.MAP, flux="gpp", label="2011")
    few = [path for path in keywords["files"] if path not in every or path == first]
    write_report(**keywords | {"files": [*few, *sums.values()]})
    added = SummedMaps.read(
        RunFiles.of(str(run.folder), [first, *sums.values()]), run.labels, {("gpp", "2011"): "unread"}, step="month"
    )
    with pytest.raises(ContractError, match="none of 2012"):
        SummedMaps.read(RunFiles.of(str(run.folder), [first, sums["2011"]]), run.labels, {}, step="month")
    for flux, one in read.fluxes.items():
        np.testing.assert_allclose(added.fluxes[flux].mean.mean(), one.mean.mean(), rtol=1e-6)
        np.testing.assert_allclose(added.fluxes[flux].member_spread(), one.member_spread(), rtol=1e-5)
        assert added.fluxes[flux].totals(added.fluxes[flux].mean) == pytest.approx(one.totals(one.mean), rel=1e-12)


def test_examples_are_chosen_by_rule():
    sites = [f"XV-{c}aa" for c in "ABCDE"]
    rows = [
        {"site": s, "flux": f, "scale": "day", "rmse": k + 1.0, "n": 100} for k, s in enumerate(sites) for f in ("gpp", "nee")
    ]
    rows.append({"site": "XV-Zaa", "flux": "gpp", "scale": "day", "rmse": 0.01, "n": 3})
    assert calibration.choose_examples(pd.DataFrame(rows), scale="day") == {
        "best": "XV-Aaa",
        "median": "XV-Caa",
        "worst": "XV-Eaa",
    }


def test_budgets_of_several_years_are_averaged():
    row = dict.fromkeys(contracts.BUDGETS.columns, 1.0) | {"flux": "gpp", "region": "globe", "area_m2": 1e14}
    frame = pd.DataFrame([row | {"year": "2011", "mean": 100.0}, row | {"year": "2012", "mean": 110.0}])
    assert budgets.mean_budgets(frame)["mean"].tolist() == [105.0]


def test_a_table_of_differences_gives_a_verdict():
    rng = np.random.default_rng(0)
    rows = []
    for k in range(30):
        for model, shift in (("tamrl", 0.0), ("lightgbm", 0.3 + 0.05 * rng.normal())):
            rows.append(
                {"model": model, "split": "kfold", "flux": "gpp", "scale": "day", "site": f"XV-{k:02d}", "rmse": 1 + shift}
            )
    table = pd.DataFrame(rows)
    sites = table["site"].unique()
    found = tables.difference_table(table, TowerGroups(pd.Series(range(len(sites)), sites)), map_model="tamrl")
    assert found.rows[0][-1] == "better" and found.rows[0][4:6] == ["30", "30"] and found.rows[0][6].startswith("−0.")


def test_timings_sum_over_jobs():
    found = tables.timing_table({"train_model": [(10.0, 500.0), (12.5, np.nan)], "build_cube": [(3.0, np.nan)]})
    assert found.rows == [["train_model", "2", "22.5", "500"], ["build_cube", "1", "3.0", "–"]]


def test_a_missing_field_of_the_page_is_an_error_not_a_blank(root):
    template = (root / "tamrl/report/templates/report.html").read_text()
    empty = html.HtmlPage("t", "r", "d", "l", [], [html.Section("maps", "Maps")])
    assert "<h2>Maps</h2>" in html.render_html(empty, template)
    with pytest.raises(jinja2.UndefinedError, match="leed"):
        html.render_html(empty, template.replace("page.lead", "page.leed"))


def test_lines_break_at_long_gaps_only():
    date = pd.to_datetime(["2010-01-01", "2010-01-05", "2010-03-01", "2010-03-02"])
    rows = pd.DataFrame({"predicted": 1.0, "q05": 0.0, "q95": 2.0}, index=date)
    found = calibration.break_gaps(rows, "day")
    assert found["predicted"].isna().sum() == 1
    assert found.index[found["predicted"].isna()][0] == pd.Timestamp("2010-01-06")


def test_towers_of_unknown_climate_are_drawn_too():
    means = pd.DataFrame(
        {"split": "kfold", "flux": "gpp", "koppen": ["Arid", None, None], "observed": [1.0, 2, 3], "predicted": [1.0, 2, 2]}
    )
    axes = towers.plot_site_means(means, {}).axes[0]
    assert sum(len(c.get_offsets()) for c in axes.collections) == 3

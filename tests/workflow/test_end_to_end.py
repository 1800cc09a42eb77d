"""The whole chain on a tiny virtual Earth: its products keep their promises, and it can be stopped and repeated."""

import hashlib
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tamrl import carbon, classes, contracts, files, simulated
from tamrl.grid import Grid
from tests.workflow.conftest import PATIENCE, USER

pytestmark = pytest.mark.slow
FLUXES = carbon.FLUXES


def test_every_product_is_there(finished):
    expected = [
        "budgets.csv",
        "regions.csv",
        "report.html",
        "atlas/index.html",
        "atlas/data/index.js",
        "provenance.json",
        "evaluation/predictions.parquet",
        "evaluation/site_metrics.csv",
    ]
    expected += [f"maps/{folder}{flux}_2012.nc" for folder in ("", "members/") for flux in FLUXES]
    assert [name for name in expected if not (finished.results / name).exists()] == []
    assert not list(finished.results.rglob(".part-*")), "a temporary file was left"


@pytest.mark.parametrize("flux", FLUXES)
def test_maps_hold_mean_spread_and_quantiles_over_land_only(finished, flux):
    ds = xr.open_dataset(finished.results / f"maps/{flux}_2012.nc")
    grid = Grid(5.0)
    assert ds[flux].dims == ("time", "lat", "lon")
    assert ds[flux].shape == (366, *grid.shape)
    assert ds.attrs["Conventions"] == "CF-1.11, ACDD-1.3"
    np.testing.assert_allclose(ds.lat, grid.lat)
    land = (ds.land_fraction > 0.02).values
    assert np.isnan(ds[flux].values[:, ~land]).all()
    assert np.isfinite(ds[flux].values[:, land]).mean() > 0.95
    known = np.isfinite(ds[flux].values)
    assert (ds[f"{flux}_std"].values[known] >= 0).all()
    assert (ds[f"{flux}_q05"].values[known] <= ds[f"{flux}_q95"].values[known]).all()


def test_the_balance_closes_in_every_member_cell_and_day(finished):
    gpp, reco, nee = (xr.open_dataset(finished.results / f"maps/members/{f}_2012.nc")[f] for f in FLUXES)
    assert gpp.dims == ("time", "member", "lat", "lon")
    residual = np.abs(carbon.residual(gpp=gpp, reco=reco, nee=nee).values)
    assert np.nanmax(residual) < 1e-5
    assert np.isfinite(residual).sum() > 366 * 500
    assert float(gpp.std("member").mean()) > 0, "members must differ"


def test_a_month_of_fluxes_makes_no_tower_worse_in_the_median(finished):
    wanted = "adaptation={models: [tamrl, lightgbm], months: [1, 3]}"
    done = finished.snakemake("--cores", "2", "--config", wanted)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-5000:]
    table = pd.read_csv(finished.results / "adaptation/adaptation.csv")
    own = table[(table["model"] == "tamrl") & (table["months"] == 1)]
    assert set(own["start"]) == {"summer", "record"} and (own["towers"] >= 20).all()
    assert (own["low"] <= 0).all(), own[["start", "flux", "change", "low"]].to_string()  # nowhere surely worse
    assert own["change"].median() < 0, own[["start", "flux", "change"]].to_string()
    assert own["tower_change"].median() < 0, own[["start", "flux", "tower_change"]].to_string()
    assert (finished.results / "adaptation/tamrl.parquet").exists() and (finished.results / "report.html").exists()


def test_tables_keep_their_contracts(finished):
    predictions = pd.read_parquet(finished.results / "evaluation/predictions.parquet")
    contracts.check_table(predictions, contracts.PREDICTIONS, where="predictions")
    contracts.read_csv(finished.results / "evaluation/site_metrics.csv", contracts.METRICS)
    assert set(predictions.model) == {"tamrl", "lightgbm"}
    splits = pd.read_csv(finished.results / "samples/splits.csv", dtype=str).set_index("site").fold
    held = predictions.drop_duplicates(["site", "fold"])
    assert (splits.loc[held.site].to_numpy() == held.fold.to_numpy()).all(), "only held-out towers are scored"


def test_everything_that_leaves_the_run_says_that_it_is_simulated(finished):
    run, ids = finished.results, []
    for path in [*run.glob("maps/**/*.nc"), *run.glob("inputs/truth/*.nc")]:
        with xr.open_dataset(path) as ds:
            ids += [ds.attrs["id"]] if "id" in ds.attrs else []
            for name in ("title", "summary", "source", "comment", "instrument"):
                assert simulated.STATEMENT in ds.attrs[name], (path, name)
            assert set(simulated.KEYWORDS) <= set(ds.attrs["keywords"].split(", ")), path
    assert len(ids) == len(set(ids)) >= 12
    tables = [*run.glob("*.csv"), *run.glob("evaluation/*.csv"), run / "towers/towers.csv", run / "drivers/comparison.csv"]
    assert len(tables) >= 11
    for path in [*tables, run / "towers/quality.csv"]:
        table = pd.read_csv(path, keep_default_na=False)
        assert table.columns[-1] == simulated.COLUMN and (table[simulated.COLUMN] == simulated.STATEMENT).all(), path
    record = files.read_json(run / "provenance.json")
    assert simulated.STATEMENT in record["name"] and set(record["keywords"]) == set(simulated.KEYWORDS)
    for name in ("summary.md", "atlas/index.html", "atlas/data/index.js", "towers/towers.geojson"):
        assert simulated.STATEMENT in (run / name).read_text(), name
    assert simulated.STATEMENT.removeprefix("v") in (run / "report.html").read_text().partition("<nav")[0]


def test_months_of_regions_add_up_to_the_budgets(finished):
    budgets = contracts.read_csv(str(finished.results / "budgets.csv"), contracts.BUDGETS).set_index(["flux", "region"])
    regions = contracts.read_csv(str(finished.results / "regions.csv"), contracts.REGIONS)
    year = regions[(regions.month == 0) & (regions.kind != "region")].set_index(["flux", "region"])
    assert {"globe", "ENF", "0-23N"} <= set(year.index.get_level_values("region"))
    budgets = budgets.loc[year.index]  # which have boxes and climates besides
    for name in ("mean", "minimum", "maximum", "area_m2"):
        np.testing.assert_allclose(year[name], budgets[name], rtol=1e-4, atol=1e-6)


def test_the_truth_is_compared_with_every_interval(finished):
    """Of thirty steps of training the biases are large, yet the intervals must say more than the members do."""
    table = contracts.read_csv(str(finished.results / "evaluation/truth_coverage.csv"), contracts.TRUTH_COVERAGE)
    share = table.set_index(["intervals", "scale", "flux"])["coverage"]
    assert {"cell, day", "cell, month", "cell, year", "block of 5°", "block of 40°", "globe"} <= set(table["scale"])
    climates = {f"cell, month, {name.lower()}" for name in classes.KOPPEN}
    assert climates <= set(table["scale"])
    alone = share["spread alone"].drop(index=climates, level="scale")  # of so short a training deserts are far off
    assert (share["calibrated"].reindex(alone.index) >= alone).all()
    assert share["calibrated"][["cell, day", "cell, month", "cell, year"]].min() > 0.5
    assert "## Coverage of the truth" in (finished.results / "summary.md").read_text()
    assert (finished.results / "figures/truth_coverage.png").exists()


def test_budgets_agree_with_the_maps(finished):
    budgets = pd.read_csv(finished.results / "budgets.csv")
    contracts.check_table(budgets.astype({"year": str}), contracts.BUDGETS, where="budgets")
    globe = budgets[budgets.region == "globe"].set_index("flux")["mean"]
    for flux in FLUXES:
        ds = xr.open_dataset(finished.results / f"maps/{flux}_2012.nc")
        total = float((ds[flux].astype("float64") * ds.cell_area * ds.land_fraction).sum()) * 1e-15
        assert total == pytest.approx(globe[flux], rel=1e-3, abs=0.02)
    assert globe.nee == pytest.approx(globe.reco - globe.gpp, abs=1e-3)


def test_the_report_stands_alone(finished):
    text = (finished.results / "report.html").read_text()
    assert "<img" in text and "data:image/" in text
    assert 'src="http' not in text and "<script src" not in text and "@import" not in text


def test_a_second_call_has_nothing_to_do(finished):
    done = finished.snakemake("--cores", "1")
    assert "Nothing to be done" in done.stdout + done.stderr


@pytest.fixture(scope="module")
def moved(finished, tmp_path_factory):
    """The finished run in another folder, without what Snakemake keeps in `.snakemake/`."""
    folder = tmp_path_factory.mktemp("moved") / "project"
    shutil.copytree(finished.folder, folder, ignore=shutil.ignore_patterns(".snakemake"))
    return type(finished)(folder)


def _planned(project, *config, path=""):
    """Rules that a dry run would run, without a word of earlier runs in `.snakemake/`."""
    shutil.rmtree(project.folder / ".snakemake", ignore_errors=True)
    command = project.command("--dry-run", "--quiet", "rules", "--cores", "1", *(("--config", *config) if config else ()))
    environment = project.environment | {"PYTHONPATH": str(path)}
    done = subprocess.run(command, cwd=project.folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    found = {words[0] for words in lines if len(words) == 2 and words[1].isdigit()} - {"total", "all"}
    assert found or "Nothing to be done" in done.stdout + done.stderr
    return found


def test_a_run_that_lost_the_records_of_snakemake_reruns_what_changed_and_nothing_else(moved, tmp_path):
    assert _planned(moved) == set()
    assert {"simulate_world", "train_model", "write_map"} <= _planned(moved, "seed=2")
    steps = _planned(moved, "training={steps: 31}")
    assert {"train_model", "write_map"} <= steps and not {"build_cube", "harmonise_towers"} & steps
    library = "import importlib.metadata as m; v = m.version; m.version = lambda name: '99.0' if name == {!r} else v(name)"
    (tmp_path / "sitecustomize.py").write_text(library.format("torch"))
    assert _planned(moved, path=tmp_path) == steps, "another torch trains again and builds no driver"
    (tmp_path / "sitecustomize.py").write_text(library.format("snakemake"))
    assert _planned(moved, path=tmp_path) == set()


@pytest.mark.parametrize("lost", [files.seal_file, files.job_file])
def test_a_product_that_lost_its_seal_is_made_again(moved, lost):
    file = lost(moved.results / "budgets.csv")
    content = file.read_bytes()
    file.write_bytes(b"") if lost is files.job_file else file.unlink()
    planned = _planned(moved)
    file.write_bytes(content)
    assert "sum_budgets" in planned and "train_model" not in planned and _planned(moved) == set()


def test_no_record_names_the_machine_its_users_or_their_folders(finished):
    """Everything that is text, but pictures within it; logs too."""
    secret = [USER, str(finished.folder), f"{Path.home()}/", finished.environment["TAMRL_DATA"]]
    texts = 0
    for file in [*finished.results.rglob("*"), *(finished.folder / "downloads").rglob("*")]:
        content = file.read_bytes() if file.is_file() else b"\0"
        if b"\0" in content[:4096]:
            continue
        texts += 1
        text = re.sub(r"base64,[A-Za-z0-9+/=]+", "", content.decode("utf-8", "replace"))
        assert not [word for word in secret if word in text], file
    assert texts > 300


def test_recorded_checksums_are_those_of_sha256sum_and_products_say_what_made_them(finished):
    recorded = files.read_json(finished.results / "provenance.json")
    told = recorded["outputs"] | recorded["inputs"]["towers"]
    listed = [name for name in told if (finished.folder / name).is_file()]
    said = subprocess.run(["sha256sum", *listed], cwd=finished.folder, capture_output=True, text=True, check=True).stdout
    assert {line[66:]: line[:64] for line in said.splitlines()} == {name: told[name] for name in listed}
    assert all(hashlib.sha256((finished.folder / n).read_bytes()).hexdigest() == told[n] for n in listed) and len(listed) > 20
    made = recorded["made"]
    assert {"train_model", "tiles", "write_map", "build_cube", "evaluate_models"} <= made.keys() and not recorded["mixed"]
    for entry in made["train_model"]:
        assert {"code", "settings", "seed", "software", "instructions", "products", "first", "last"} == entry.keys()
        assert entry["seed"] == recorded["seed"] and {"torch", "numpy"} <= entry["software"].keys()


def test_make_unlock_releases_the_lock_of_a_killed_run(finished):
    locks = finished.folder / ".snakemake/locks"
    locks.mkdir(exist_ok=True)
    (locks / "0.output.lock").write_text("results/test/budgets.csv\n")
    refused = finished.snakemake("--cores", "1", "--forcerun", "sum_budgets")
    assert refused.returncode != 0 and "cannot be locked" in refused.stdout + refused.stderr
    binaries = str(Path(sys.executable).parent)
    command = ["make", "-o", ".venv", "unlock", f"BIN={binaries}", "CONFIG=config/test.yaml"]
    done = subprocess.run(command, cwd=finished.folder, env=finished.environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not list(locks.glob("*.lock"))


def test_a_new_learning_rate_extracts_no_driver_again(finished):
    done = finished.snakemake("--dry-run", "--config", "training={learning_rate: 0.001}")
    text = done.stdout
    assert "train_model" in text
    assert "build_cube" not in text and "harmonise_towers" not in text


def test_interrupted_with_other_tiles_and_threads_the_same_bits_come_out(finished, tmp_path_factory):
    other = type(finished)(tmp_path_factory.mktemp("interrupted"))
    once_more = ("--cores", "2", "--config", "grid={resolution: 5, tile: 7}")
    first = subprocess.Popen(
        other.command(*once_more),
        cwd=other.folder,
        env=other.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # tests in a shell's background inherit it ignored
    )
    _wait_for(lambda: list(other.results.glob("models/*/fold-*/member-*/spec.json")), first)
    first.send_signal(signal.SIGINT)
    assert first.wait(timeout=PATIENCE) != 0
    done = other.snakemake(*once_more)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    for flux in FLUXES:
        a, b = (xr.open_dataset(p.results / f"maps/members/{flux}_2012.nc")[flux].values for p in (finished, other))
        np.testing.assert_array_equal(a, b)
    weights = "models/tamrl/fold-all/member-0"
    names = [p.name for p in (finished.results / weights).glob("*.safetensors")]
    assert names and all(files.sha256(finished.results / weights / n) == files.sha256(other.results / weights / n) for n in names)


def _wait_for(condition, process, seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, "the run ended before it could be interrupted"
        assert time.monotonic() < end, "nothing was trained in time"
        time.sleep(0.2)

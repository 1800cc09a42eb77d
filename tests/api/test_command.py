"""The command `tamrl`: what it prints, writes and refuses, and its exit codes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import tamrl
from tamrl.command import doctor, programs
from tamrl.command.main import build_parser, main
from tamrl.layout import File


@pytest.fixture
def folder(tiny_run, table, tmp_path, monkeypatch):
    """A working folder with tables of drivers and of places."""
    monkeypatch.chdir(tmp_path)
    one = table[table["site"] == "XX-004"].drop(columns=["site", "lat", "lon", "igbp"])
    one.to_csv("one.csv", index=False)
    table.to_csv("all.csv", index=False)
    Path("places.csv").write_text("site,lat,lon\nNA,30,-150\nsea,-60,10\nB,10,170.5\n")
    return tmp_path


PLACE = ("--lat", "44.2", "--lon", "19", "--igbp", "EBF")


def _predict(tiny_run, *words):
    return main(["predict", tiny_run.folder, "--device", "cpu", "--drivers", *words])


def test_help_is_quick_and_shows_examples():
    code = "import sys; from tamrl.command import main; main.build_parser()"
    code += "; sys.exit(bool({'torch', 'pandas', 'xarray'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    for name in (
        "predict",
        "release",
        "card",
        "extract",
        "doctor",
        "run",
        "atlas",
        "plan",
        "reproduce",
        "archive",
        "config",
        "audit",
        "scaling",
        "worlds",
    ):
        done = subprocess.run([sys.executable, "-m", "tamrl", name, "--help"], capture_output=True, text=True, check=True)
        assert name == "doctor" or f"\n  tamrl {name}" in done.stdout, "an example"
        assert max(map(len, done.stdout.splitlines())) <= 132


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "required: COMMAND"),
        (("predict",), "required: --drivers"),
        (("plon",), "invalid choice"),
        (("plan", "--", "-n"), "nothing behind"),
    ],
)
def test_wrong_arguments_end_with_2(words, said, capsys):
    assert main(words) == 2
    assert said in capsys.readouterr().err


def test_the_version_and_help_end_with_0(capsys):
    assert main(["--version"]) == 0 and tamrl.__version__ in capsys.readouterr().out
    assert main(["--help"]) == 0 and build_parser().prog == "tamrl"


def test_one_place_is_predicted_to_the_terminal(tiny_run, folder, capsys):
    assert _predict(tiny_run, "one.csv", *PLACE) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == (
        "site,date,lat,lon,gpp,gpp_std,gpp_q05,gpp_q95,reco,reco_std,reco_q05,reco_q95,nee,nee_std,nee_q05,nee_q95,"
        "dissimilarity,applicability"
    )
    assert len(lines) == 49 and lines[1].startswith("place,2005-01-01,44.2,19.0,") and lines[1].endswith(",1")


def test_files_have_the_numbers_of_the_interface(tiny_run, folder, capsys):
    for output in ("x.csv", "x.nc"):
        assert _predict(tiny_run, "all.csv", "--output", output, "--json") == 0
        assert json.loads(capsys.readouterr().out) == {"file": output, "places": 20, "steps": 48}
    expected = tamrl.load_model(tiny_run.folder, device="cpu").predict(tamrl.read_drivers("all.csv", step="month"))
    stored = xr.load_dataset("x.nc")
    for name in ("gpp", "nee_q95"):
        np.testing.assert_array_equal(stored[name], expected[name])
        np.testing.assert_allclose(pd.read_csv("x.csv")[name].to_numpy().reshape(20, 48), expected[name])
    assert stored["gpp_std"].attrs["interval_of"] == expected["gpp_std"].attrs["interval_of"]
    assert sorted(path.name for path in folder.iterdir() if path.name.startswith((".", "x"))) == ["x.csv", "x.nc"], "no seal"


def test_json_holds_rows_and_what_they_mean(tiny_run, folder, capsys):
    rows = pd.read_csv("one.csv")
    rows.loc[3, "EVI"] = None
    rows.to_csv("one.csv", index=False)
    assert _predict(tiny_run, "one.csv", *PLACE, "--measurement", "--json") == 0
    content = json.loads(capsys.readouterr().out)
    assert content["series"][3]["gpp"] is None and content["series"][2]["gpp"] is not None
    assert content["variables"]["gpp_q05"]["interval_of"].startswith("what a tower") and content["attributes"]["run"] == "tiny"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("one.csv",), "the table lacks lat, lon"),
        (("one.csv", *PLACE, "--output", "x.xlsx"), "the output is CSV or NetCDF"),
        (("none.csv", *PLACE), "there is no such file"),
        (("all.csv", "--unit", "air_temperature"), "--unit takes VARIABLE=VALUE"),
        (("all.csv", "--unit", "air_temperature=K"), "air_temperature must lie within"),
        (("all.csv", "--unit", "air_temperature=furlong"), "cannot convert 'furlong' to 'K'"),
        (("all.csv", "--column", "evi=green"), "no column 'green' for evi"),
        (("all.csv", "--fold", "9"), "no fold '9'"),
        (("all.csv", "--lat", "3"), "lat is given twice"),
    ],
)
def test_errors_are_those_of_the_project_and_leave_no_file(tiny_run, folder, capsys, words, said):
    before = sorted(folder.iterdir())
    assert _predict(tiny_run, *words) == 1
    error = capsys.readouterr().err
    assert error.startswith("tamrl predict: ") and said in error and "to do:" in error and "Traceback" not in error
    assert sorted(folder.iterdir()) == before


def test_series_of_the_maps_at_points(tiny_run, folder, capsys, caplog):
    words = ["extract", tiny_run.folder, "--places", "places.csv", "--period", "monthly", "--flux", "gpp", "--year", "2012"]
    assert main(words) == 0
    rows = pd.read_csv(pd.io.common.StringIO(capsys.readouterr().out), keep_default_na=False, na_values=[""])
    assert rows["site"].unique().tolist() == ["NA", "sea", "B"] and len(rows) == 36
    first = rows.iloc[0]
    assert first["gpp"] == pytest.approx(2012.011) and first["gpp_q95"] == pytest.approx(2015.011)
    assert (first["cell_lat"], first["cell_lon"], first["applicability"]) == (22.5, -157.5, 0) and rows.iloc[-1][
        "applicability"
    ] == 1
    assert rows.loc[rows["site"] == "sea", "gpp"].isna().all() and "no land with fluxes in the cells of sea" in caplog.text
    points = [{"type": "Feature", "id": "p", "geometry": {"type": "Point", "coordinates": [170.5, 10]}, "properties": None}]
    Path("p.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": points}))
    assert main([*words[:3], "p.geojson", "--period", "monthly", "--output", "p.nc"]) == 0
    ds = xr.load_dataset("p.nc")
    assert ds.sizes == {"site": 1, "time": 24} and {"gpp", "reco", "nee", "nee_std"} <= set(ds)
    assert ds["gpp_std"].attrs["interval_of"] == "the flux of the land of the cell"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("p.csv", "site,lat\na,1\n", "the places lack lon"),
        ("p.csv", "site,lat,lon\na,x,1\n", "'x' in row 1"),
        ("p.csv", "site,lat,lon\na,91,1\n", "a has no possible coordinates"),
        ("p.csv", "site,lat,lon\na,9,1\na,8,1\n", "a place stands twice"),
        ("p.csv", "", "the table is empty"),
        ("p.geojson", "{", "the places cannot be read"),
        (
            "p.geojson",
            '{"type": "Feature", "geometry": {"type": "LineString", "coordinates": [[1, 2]]}}',
            "no point and no polygon",
        ),
        ("p.geojson", '{"type": "FeatureCollection", "features": []}', "no points"),
        (
            "p.geojson",
            '{"type": "FeatureCollection", "features": [], "crs": {"type": "name", "properties": {"name": "EPSG:3035"}}}',
            "must be in degrees",
        ),
    ],
)
def test_places_that_cannot_be_are_named(tiny_run, folder, capsys, name, content, said):
    Path(name).write_text(content)
    assert main(["extract", tiny_run.folder, "--places", name, "--period", "monthly"]) == 1
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "no place is named"),
        (("--countries", "Germany"), "add --totals FILE"),
        (("--countries", "Germny", "--totals", "t.csv"), "did you mean Germany"),
    ],
)
def test_countries_that_cannot_be_are_named(tiny_run, folder, capsys, words, said):
    assert main(["extract", tiny_run.folder, *words]) == 1
    assert said in capsys.readouterr().err and not Path("t.csv").exists()


def test_periods_and_runs_that_are_not_there(tiny_run, folder, capsys):
    assert main(["extract", tiny_run.folder, "--places", "places.csv"]) == 1
    assert "no daily maps of gpp" in capsys.readouterr().err
    assert main(["extract", "results/none", "--places", "places.csv"]) == 1
    assert "there is no such run" in capsys.readouterr().err


def test_the_doctor_says_what_to_do(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("EARTHDATA_TOKEN", "secret-token")
    monkeypatch.setenv("CDSAPI_RC", str(tmp_path / "none"))
    monkeypatch.delenv("ECMWF_DATASTORES_KEY", raising=False)
    monkeypatch.setattr(doctor, "requirements", lambda extra=None: ["numpy", "no-such-package"] if extra is None else [])
    assert main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "missing   packages   1 of 2 packages: not installed are no-such-package\n" in out and "pip install tamrl" in out
    assert "ok        Earthdata  token in EARTHDATA_TOKEN" in out and "secret-token" not in out
    assert "optional  Copernicus no key" in out and "~/.cdsapirc" in out
    (tmp_path / ".cdsapirc").write_text("key: secret-key\n")
    monkeypatch.delenv("CDSAPI_RC")
    monkeypatch.delenv("EARTHDATA_TOKEN")
    (tmp_path / ".netrc").write_text("machine urs.earthdata.nasa.gov login me password secret-word\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setattr(doctor, "requirements", lambda extra=None: ["numpy"])
    assert main(["doctor", "--json"]) == 0
    out = capsys.readouterr().out
    lines = {line["subject"]: line for line in json.loads(out)}
    assert lines["Earthdata"]["detail"] == "login in .netrc" and "secret" not in out
    assert lines["Copernicus"]["good"] and lines["Copernicus"]["detail"] == "key in .cdsapirc" and lines["python"]["good"]


def test_requirements_are_those_that_are_declared():
    assert {"numpy", "torch", "dask"} <= set(doctor.requirements()) and "BESS-JPL" in doctor.requirements("real")
    assert {"snakemake", "rasterio", "lightgbm"} <= set(doctor.requirements("workflow"))


def test_a_run_without_the_packages_of_the_workflow_says_how_to_install_them(capsys, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["run"]) == 1
    assert "needs the package snakemake" in (said := capsys.readouterr().err) and "tamrl[workflow]" in said


def test_configurations_are_printed_and_checked(root, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["config"]) == 0 and capsys.readouterr().out == (root / "config/config.yaml").read_text(encoding="utf-8")
    assert main(["config", "--schema"]) == 0 and capsys.readouterr().out == (root / "config/schema.json").read_text(
        encoding="utf-8"
    )
    assert main(["config", "config/test.yaml"]) == 0 and "run: test" in capsys.readouterr().out
    Path("mine.yaml").write_text("sead: 3\n")
    assert main(["config", "config/test.yaml", "mine.yaml"]) == 1 and "did you mean seed" in capsys.readouterr().err
    assert main(["plan", "none.yaml"]) == 1 and "config/real.yaml" in capsys.readouterr().err


def test_programs_get_their_arguments(root, monkeypatch, tmp_path):
    """Each is tested where it stands; here what the command hands to it."""
    calls = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tamrl.reproduce.main", lambda words: calls.append(words) or 0)
    monkeypatch.setattr("tamrl.archive.main", lambda words: calls.append(words) or 1)
    monkeypatch.setattr("tamrl.audit.main", lambda program: calls.append(program) or 2)
    monkeypatch.setattr("tamrl.worlds.main", lambda words: calls.append(words) or 3)
    monkeypatch.setattr("tamrl.costs.fit.fit_runs", calls.append)
    assert main(["reproduce", "results/x", "--over", "mine.yaml", "--cores", "3", "--", "--quiet"]) == 0
    assert main(["archive", "results/x"]) == 1 and main(["audit", "pip-audit"]) == 2
    assert main(["worlds", "--worlds", "4", "--cores", "2"]) == 3 and main(["scaling", "results/a", "results/b"]) == 0
    snakefile = str(root / "Snakefile")
    assert calls == [
        ["results/x", "--over", "mine.yaml", "--snakefile", snakefile, "--cores", "3", "--quiet"],
        ["results/x"],
        "pip-audit",
        ["--worlds", "4", "--cores", "2"],
        ["results/a", "results/b"],
    ]


@pytest.fixture
def started(monkeypatch, tmp_path):
    """How the command replaces itself by a program, without doing so."""
    calls = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(programs.os, "execv", lambda program, words: calls.append(words))
    return calls


def test_a_run_hands_its_options_to_snakemake(root, started):
    base = [str(root / "config/config.yaml")]
    both = [*base, str(root / "config/test.yaml")]
    main(["run", "config/test.yaml", "--cores", "2", "--dry-run", "--", "--until", "x"])
    main(["run"])
    main(["atlas", "config/test.yaml"])
    main(["run", "--profile", "workflow/profiles/slurm"])
    main(["run", "--profile", "workflow/profiles/local", "--cores", "3", "--", "--unlock"])
    main(["run", "--verbose"])
    assert all(words[0] == sys.executable and words[3:5] == ["--snakefile", str(root / "Snakefile")] for words in started)
    assert [words[1:3] for words in started if words[2] == "snakemake"] == [["-m", "snakemake"]] * 2, "a dry run and --verbose"
    assert {words[2] for words in started} == {"snakemake", "tamrl.command.watch"} and started.pop()[2] == "snakemake"
    slurm, local = (["--workflow-profile", str(root / f"workflow/profiles/{name}")] for name in ("slurm", "local"))
    assert [words[5:] for words in started] == [
        ["--cores", "2", "--configfile", *both, "--dry-run", "--rerun-incomplete", "--until", "x"],
        ["--cores", "all", "--configfile", *base, "--rerun-incomplete"],
        ["--cores", "all", "--configfile", *both, "--rerun-incomplete", "--", "atlas"],
        [*slurm, "--configfile", *base, "--rerun-incomplete"],  # with the number of cores of the profile
        [*local, "--cores", "3", "--configfile", *base, "--rerun-incomplete", "--unlock"],
    ]


def test_files_of_settings_are_read_before_snakemake_starts(started, tmp_path, capsys):
    (tmp_path / "twice.yaml").write_text("seed: 1\nseed: 2\n")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/config.v8+.yaml").write_text("jobs: 1\njobs: 2\n")
    assert main(["run", "twice.yaml"]) == 1 and "seed occurs twice" in capsys.readouterr().err
    assert main(["run", "--profile", "mine"]) == 1 and "jobs occurs twice" in capsys.readouterr().err
    assert main(["run", "--profile", "none"]) == 1 and "workflow/profiles/slurm" in capsys.readouterr().err
    assert not started


def test_generated_files_are_written_again(root, monkeypatch, tmp_path):
    (tmp_path / "config").mkdir()
    monkeypatch.setattr(programs, "workflow_folder", lambda: tmp_path)
    assert main(["config", "--write"]) == 0
    for name in ("config.yaml", "schema.json"):
        assert (tmp_path / "config" / name).read_text(encoding="utf-8") == (root / "config" / name).read_text(encoding="utf-8")


def test_interrupted_and_broken_pipes_end_quietly(root, tiny_run, monkeypatch, folder):
    def interrupted(options):
        raise KeyboardInterrupt

    monkeypatch.setattr("tamrl.command.predict.predict_places", interrupted)
    assert _predict(tiny_run, "one.csv") == 130
    program = [sys.executable, "-m", "tamrl", "predict", tiny_run.folder, "--drivers", "all.csv", "--device", "cpu"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": os.environ | {"PYTHONPATH": str(root)}}
    with subprocess.Popen(program, cwd=folder, **pipes) as process:
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read() and process.wait() == 0
    assert Path(tiny_run(File.CALIBRATION)).is_file()

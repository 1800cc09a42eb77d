"""The configuration refuses what it cannot honour and names the near miss (fault 14)."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from tamrl import config, provenance, registry
from tamrl.errors import ConfigError
from tamrl.sections.run import Config

ROOT = Path(__file__).parents[1]


def test_generated_files_are_in_step():
    assert (ROOT / "config/config.yaml").read_text() == config.defaults_yaml(), "run `make config`"
    assert (ROOT / "config/schema.json").read_text() == config.schema_json(), "run `make config`"


def test_the_defaults_are_the_empty_configuration():
    assert config.load({}) == config.load(yaml.safe_load((ROOT / "config/config.yaml").read_text()))


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({"training": {"member": 3}}, "members"),
        ({"tim": {}}, "time"),
        ({"training": {"tamrl": {"hiden": 3}}}, "hidden"),
        ({"grid": {"resolution": 0.7}}, "divide"),
        ({"grid": {"resolution": 0.75}}, "does not divide a degree"),
        ({"grid": {"resolution": 0.04}}, "greater than or equal to 0.05"),
        ({"grid": {"bounds": [34, -120, 72, 42]}}, "exchanged"),
        ({"grid": {"bounds": [170, -50, -170, -30]}}, "crosses 180"),
        ({"grid": {"bounds": [0, 40, 0.5, 50]}}, "fewer than two rows or columns"),
        (
            {"grid": {"bounds": [0, 40, 5, 50]}, "comparison": {"products": {"fluxcom_x_base": {"files": "x.nc"}}}},
            "maps of the globe alone",
        ),
        ({"grid": {"bounds": "land.kml"}}, r"GeoJSON \(.geojson, .json\) or a shapefile"),
        ({"towers": {"networks": []}}, "networks"),
        ({"towers": {"networks": ["fluxnet2016"]}}, "fluxnet2015"),
        ({"drivers": {"variables": {"dynamic": ["air_temprature"]}}}, "air_temperature"),
        ({"drivers": {"variables": {"dynamic": ["gpp"]}}}, "target"),
        ({"time": {"years": [2010, 2012]}}, "consecutive"),
        ({"time": {"map_years": [1999]}}, "map_years"),
        ({"time": {"until": "2012-13"}}, "pattern"),
        ({"time": {"until": "2011-05"}}, "until 2011-05 is no month of the last of years, 2012"),
        ({"time": {"until": "2012-05"}}, "only whole years are mapped; map_years names 2012, which ends with 2012-05"),
        ({"time": {"step": "month", "years": [], "map_years": [], "until": "2012-05"}}, "no last month"),
        ({"splits": {"scheme": "sites"}}, "test_sites"),
        ({"inference": {"model": "lightgbm"}, "training": {"models": ["tamrl"]}}, "not trained"),
        ({"run": "../../x"}, "run"),
        ({"training": {"variants": {"a": {"leaves": 3}}}}, "discriminator 'model'"),
        ({"training": {"variants": {"a": {"model": "lightbgm"}}}}, "did you mean lightgbm"),
        ({"training": {"variants": {"a": {"model": "lightgbm", "leavs": 3}}}}, "did you mean leaves"),
        ({"training": {"variants": {"a": {"model": "lightgbm", "leaves": 1}}}}, "greater than or equal to 2"),
        ({"training": {"variants": {"../a": {"model": "lightgbm"}}}}, "pattern"),
        ({"training": {"variants": {"ctlstm": {"model": "lightgbm"}}}}, "names of plug-ins"),
        ({"training": {"variants": {"trees": {"model": "lightgbm"}}, "models": ["tamrl", "tree"]}}, "did you mean trees"),
        ({"adaptation": {"models": ["tamlr"]}}, "did you mean tamrl"),
        ({"choices": {"a": {"grid": {"resolution": 2}}}}, "may not change"),
        ({"choices": {"a": {"towers": {"qualty": {}}}}}, "quality"),
        ({"seed": "one"}, "seed"),
        ({"drivers": {"sources": []}}, "towers' own drivers"),
    ],
)
def test_what_cannot_be_honoured_is_refused_with_a_hint(raw, message):
    with pytest.raises(ConfigError, match=message):
        config.load(raw)


def test_a_variant_starts_from_the_defaults_of_its_plug_in_not_from_the_section():
    raw = {
        "models": ["tamrl", "few"],
        "lightgbm": {"trees": 9, "rows": 7},
        "variants": {"few": {"model": "lightgbm", "leaves": 5}},
    }
    training = config.load({"training": raw}).training
    own = registry.options(registry.MODELS, "lightgbm")
    assert training.options("few") == own(leaves=5).model_dump(mode="json") != training.options("lightgbm")
    assert (training.plugin("few"), training.plugin("tamrl")) == ("lightgbm", "tamrl")
    assert config.load({"training": raw, "inference": {"model": "few"}}).inference.model == "few"


def test_the_digest_follows_what_shapes_numbers_only():
    plain = config.shaping_digest(config.load({}))
    same = {"evaluation": {"title": "Other"}, "grid": {"tile": 15}, "maps": {"members": False}, "inference": {"batch": 7}}
    same |= {"choices": {"other": {"training": {"steps": 7}}}, "adaptation": {"months": [3]}}
    assert config.shaping_digest(config.load(same)) == plain
    for changed in ({"seed": 2}, {"training": {"steps": 7}}, {"maps": {"vegetated_only": False}}, {"evaluation": {"qc": 0.1}}):
        assert config.shaping_digest(config.load(changed)) != plain


def test_yaml_python_tags_are_refused(tmp_path):
    evil = tmp_path / "evil.yaml"
    evil.write_text("run: !!python/object/apply:os.system ['touch pwned']\n")
    done = subprocess.run(
        [ROOT / ".venv/bin/snakemake", "-n", "--configfile", evil], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert not (ROOT / "pwned").exists()


def test_places_are_filled_in(monkeypatch):
    monkeypatch.setenv("TAMRL_DATA", "/somewhere")
    conf = config.load({"run": "mine"})
    assert conf.drivers.cds_era5.path == "results/mine/inputs/era5"
    assert conf.towers.metaflux.path == "/somewhere/towers/metaflux"


def test_a_missing_input_says_where_and_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("TAMRL_DATA", str(tmp_path))
    conf = config.load({"twin": None})
    with pytest.raises(ConfigError, match="TAMRL_DATA"):
        config.check_inputs(conf)


@pytest.mark.parametrize(
    "raw",
    [
        {"drivers": {"subsets": "gone"}},
        {"drivers": {"co2": "gone"}},
        {"splits": {"scheme": "sites", "test_sites": "gone"}},
        {"towers": {"networks": ["shuttle"], "shuttle": {"snapshot": "gone"}}},
        {"towers": {"networks": ["table"], "table": {"path": "gone"}}},
    ],
)
def test_every_kind_of_input_that_is_missing_is_named_before_anything_runs(raw):
    with pytest.raises(ConfigError, match="gone"):
        config.check_inputs(config.load(raw))


def test_data_in_a_file_is_told_from_data_that_are_not_there(monkeypatch, tmp_path):
    (tmp_path / "data").touch()
    monkeypatch.setenv("TAMRL_DATA", str(tmp_path / "data"))
    with pytest.raises(ConfigError, match="TAMRL_DATA is no folder but a file"):
        config.check_inputs(config.load({"towers": {"networks": ["japanflux"]}}))


def test_files_are_laid_over_each_other_at_any_depth():
    one, two = (
        {"training": {"steps": 3, "tamrl": {"hidden": 8}}, "twin": None},
        {"training": {"tamrl": {"code": 4}}, "twin": {"towers": 9}},
    )
    assert config.overlay(one, two) == {"training": {"steps": 3, "tamrl": {"hidden": 8, "code": 4}}, "twin": {"towers": 9}}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--configfile", "{0}"), r"towers occurs twice (lines 1 and 3)"),
        (("--configfile", "config/test.yaml", "{0}"), r"towers occurs twice (lines 1 and 3)"),
        (("--config", "training={{steps: 3, steps: 4}}"), r"steps occurs twice (line 1)"),
    ],
)
def test_a_key_that_stands_twice_stops_before_the_plan(tmp_path, arguments, said):
    (tmp_path / "twice.yaml").write_text("towers: {exclude: [DE-Hai]}\nseed: 2\ntowers: {}\n")
    command = [ROOT / ".venv/bin/snakemake", "-n", *(a.format(tmp_path / "twice.yaml") for a in arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode != 0 and said in done.stdout + done.stderr


def test_a_choice_lays_its_keys_over_the_run():
    raw = {"seed": 7, "choices": {"half": {"towers": {"quality": {"nee_qc": 0.5}}}}}
    chosen = config.load_choice(raw, "half")
    assert (chosen.towers.quality.nee_qc, chosen.seed, chosen.choices) == (0.5, 7, {})


@pytest.mark.parametrize("package", [registry.NETWORKS, registry.SOURCES, registry.MODELS])
def test_every_plug_in_has_typed_options_in_the_schema(package):
    schema = json.loads(config.schema_json())
    text = json.dumps(schema)
    for name in registry.names(package):
        assert f'"{name}"' in text
        assert registry.options(package, name)().model_dump() is not None


def test_every_key_of_the_configuration_is_documented():
    text = (ROOT / "config/README.md").read_text()
    for name in Config.model_fields:
        assert f"`{name}`" in text, f"config/README.md does not explain {name}"


def test_a_map_is_divided_in_one_way():
    with pytest.raises(ConfigError, match=r"two ways to divide a map"):
        config.load({"inference": {"nodes": 2, "jobs": 3}})
    assert config.load({"inference": {"nodes": 2}}).inference.jobs == 1


def test_a_year_may_be_unfinished_and_one_that_ends_with_december_is_not():
    found = config.load({"time": {"until": "2012-05", "map_years": [2010, 2011]}}).time
    assert found.unfinished == 2012 and found.labels == ("2010", "2011")
    assert config.load({"time": {"until": "2012-12"}}).time.unfinished is None


def _unbounded(node, path=()):
    """Numbers of a schema that have no least or no greatest value."""
    if isinstance(node, dict):
        if node.get("type") in ("integer", "number"):
            bounded = {"maximum", "exclusiveMaximum"} & set(node) and {"minimum", "exclusiveMinimum"} & set(node)
            yield from [] if bounded else [".".join(path)]
        for key, value in node.items():
            yield from _unbounded(value, (*path, str(key)))
    elif isinstance(node, list):
        for k, value in enumerate(node):
            yield from _unbounded(value, (*path, str(k)))


def test_every_number_has_a_least_and_a_greatest_value():
    assert list(_unbounded(config.Config.model_json_schema())) == []


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("training", "steps", 10**30),
        ("grid", "resolution", 1e-9),
        ("training", "learning_rate", float("inf")),
        ("training", "input_noise", float("nan")),
        ("training", "tamrl", {"hidden": 10**12}),
        (None, "seed", 10**400),
    ],
)
def test_numbers_beyond_all_use_are_refused_with_their_key_and_range(section, key, value):
    with pytest.raises(ConfigError, match=rf"{key}[\s\S]*(less than or equal|greater than or equal|finite)"):
        config.load({section: {key: value}} if section else {key: value})


@pytest.mark.parametrize("name", ["variables.yaml", "sources.tsv"])
def test_a_table_at_its_old_place_is_refused_with_the_new_one(tmp_path, monkeypatch, name):
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / name).touch()
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    with pytest.raises(ConfigError, match=f"move it to tamrl/data/{name}"):
        config.load({})


def test_an_ablation_differs_from_the_default_of_the_benchmark_in_its_part_alone(root):
    files = [root / "config/benchmark.yaml", root / "config/ablations.yaml"]
    default = config.load_files(files[:1]).training.options("tamrl")
    training = config.load_files(files).training
    more = {"support_years": {"support", "encoder"}, "balance_reconciled": {"balance", "validation"}}
    more |= {"one_stream": {"streams", "hidden"}, "short_windows": {"context", "sequence", "spinup", "batch", "forgiven"}}
    assert training.options("tamrl") == default
    for name in set(training.models) - {"tamrl"}:
        changed = {key for key, value in training.options(name).items() if key not in default or default[key] != value}
        plugin = {training.plugin(name)} - {"tamrl"}
        assert len(changed | plugin) == 1 or changed == more.get(name), (name, changed)

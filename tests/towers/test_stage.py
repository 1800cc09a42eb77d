"""The stage from raw files to the files that the rest of the pipeline reads."""

import json

import pandas as pd
import pytest

from tamrl import contracts, files, registry
from tamrl.errors import InputError, TamrlError
from tamrl.sections.inputs import Quality
from tamrl.towers import stage

LIMITS = Quality().model_dump(mode="json")
TOWERS = {"exclude": [], "managed": {}, "quality": LIMITS}


def _read(network, sample, out, step="day", **how):
    plugin = registry.load(registry.NETWORKS, network)
    options = plugin.Options(**getattr(sample, network)(step))
    table, sites, aside = (str(out / f"{network}{end}") for end in (".parquet", "_sites.csv", "_aside.csv"))
    stage.read_network(
        paths=plugin.inputs(options),
        table=table,
        sites=sites,
        aside=aside,
        network=network,
        options=options.model_dump(mode="json"),
        reading=how,
        step=step,
    )
    return table, sites, aside


def _harmonise(out, *networks, step="day", **changes):
    files = {"records": out / "towers.parquet", "towers": out / "towers.csv", "quality": out / "quality.csv"}
    files |= {"geojson": out / "towers.geojson"}
    stage.harmonise_towers(
        tables=[t for t, _, _ in networks],
        sites=[s for _, s, _ in networks],
        aside=[a for _, _, a in networks],
        **{k: str(v) for k, v in files.items()},
        credits=[str(out / name) for name in ("citations.bib", "acknowledgements.txt")],
        screening=TOWERS | changes,
        step=step,
    )
    read = {"keep_default_na": False, "na_values": {"n": [""]}}
    return pd.read_parquet(files["records"]), pd.read_csv(files["towers"], **read), pd.read_csv(files["quality"], **read)


def test_from_archives_to_towers(sample, tmp_path):
    table, towers, report = _harmonise(tmp_path, _read("fluxnet", sample, tmp_path))
    contracts.check_table(table, contracts.TOWERS, where="x")
    assert towers["site"].tolist() == ["DE-Aaa"]
    assert towers[["first", "last", "n"]].to_numpy().tolist() == [["2010-01-01", "2011-02-04", 400]]
    assert len(table) == 400 and table["gpp"].isna().sum() == 1
    whole = report[report["test"] == "managed"]
    assert whole[["site", "dropped", "kept", "note"]].to_numpy().tolist() == [["NA-Bbb", 400, 0, "irrigated"]]
    fills = report[report["test"] == "fill_values"].set_index("site")["dropped"]
    assert fills.to_dict() == {"DE-Aaa": 2, "NA-Bbb": 2}


def test_alternatives_pass_from_a_network_to_the_towers_and_close(sample, tmp_path):
    plain, *_ = _harmonise(tmp_path, _read("fluxnet", sample, tmp_path))
    table, _, report = _harmonise(tmp_path, _read("fluxnet", sample, tmp_path, alternatives=["partitioning", "ustar"]))
    pd.testing.assert_frame_equal(table[list(plain)], plain)
    assert set(table) - set(plain) == {"gpp_DT_REF", "reco_DT_REF"}
    closed = (table["reco_DT_REF"] - table["gpp_DT_REF"] - table["nee"]).abs()
    assert closed.max() < 1e-9 and closed.count() == table["nee"].count()
    assert (report["note"] == "DT_REF").sum() == 2


def test_managed_towers_can_be_kept(sample, tmp_path):
    _, towers, _ = _harmonise(tmp_path, _read("fluxnet", sample, tmp_path), quality=LIMITS | {"managed": "keep"})
    assert towers["site"].tolist() == ["DE-Aaa", "NA-Bbb"] and towers["managed"].tolist() == ["", "irrigated"]


def test_the_output_does_not_depend_on_the_order_of_files(sample, tmp_path):
    network = _read("fluxnet2015", sample, tmp_path)
    one = _harmonise(tmp_path, network, quality=LIMITS | {"managed": "keep"})
    frame = pd.read_parquet(network[0]).sample(frac=1, random_state=1)
    with files.atomic(network[0]) as part:
        frame.to_parquet(part, index=False)
    two = _harmonise(tmp_path, network, quality=LIMITS | {"managed": "keep"})
    for a, b in zip(one, two, strict=True):
        pd.testing.assert_frame_equal(a, b)


def test_two_networks(sample, tmp_path):
    first = _read("fluxnet2015", sample, tmp_path)
    second = _read("table", sample, tmp_path)
    table, towers, _ = _harmonise(tmp_path, first, second)
    assert towers[["site", "network", "koppen"]].to_numpy().tolist() == [["DE-Aaa", "table", "Temperate"]]
    assert towers["also_in"].tolist() == ["fluxnet2015"]
    assert "evi" in table and not table.duplicated(["site", "date"]).any()


def test_months(sample, tmp_path):
    limits = LIMITS | {"min_steps": 12}
    table, towers, report = _harmonise(tmp_path, _read("metaflux", sample, tmp_path, "month"), step="month", quality=limits)
    assert towers["n"].tolist() == [36, 36] and len(table) == 72
    assert "spikes" not in set(report["test"])


def test_no_tower_left_says_why_and_what_to_do(sample, tmp_path):
    network = _read("fluxnet", sample, tmp_path)
    with pytest.raises(InputError, match=r"no tower is left[\s\S]*nee_qc dropped 800[\s\S]*lower towers\.quality"):
        _harmonise(tmp_path, network, exclude=["NA-Bbb"], quality=LIMITS | {"nee_qc": 0.95})
    assert {p.name for p in tmp_path.iterdir() if not files.is_seal(p.name)} == {
        "raw",
        "fluxnet.parquet",
        "fluxnet_sites.csv",
        "fluxnet_aside.csv",
    }


def _break(sample, site):
    options = sample.fluxnet("day")
    (broken,) = sample.folder.glob(f"*{site}*.zip")
    broken.write_bytes(broken.read_bytes()[:-100])
    sample.fluxnet = lambda step: options
    return broken.name


def test_a_broken_archive_leaves_nothing_behind_where_the_run_is_strict(sample, tmp_path):
    broken = _break(sample, "NA-Bbb")
    with pytest.raises(TamrlError, match=broken):
        _read("fluxnet", sample, tmp_path, strict=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["raw"]


def test_a_broken_archive_is_set_aside_with_its_reason(sample, tmp_path):
    broken = _break(sample, "NA-Bbb")
    _, towers, report = _harmonise(tmp_path, _read("fluxnet", sample, tmp_path))
    assert towers["site"].tolist() == ["DE-Aaa"]
    (row,) = report[report["test"] == "set_aside"].to_dict("records")
    assert (row["site"], row["dropped"], row["kept"]) == ("NA-Bbb", 0, 0)
    assert row["note"].startswith(f"{broken}: the archive cannot be read")


def test_towers_as_points(sample, tmp_path):
    _harmonise(tmp_path, _read("fluxnet", sample, tmp_path), quality=LIMITS | {"managed": "keep"})
    found = json.loads((tmp_path / "towers.geojson").read_text())
    first, second = found["features"]
    assert (first["id"], first["geometry"]) == ("DE-Aaa", {"type": "Point", "coordinates": [10.5, 51.0, 430.0]})
    assert second["geometry"]["coordinates"] == [17.0, -22.5] and second["properties"]["managed"] == "irrigated"
    assert first["properties"]["first"] == "2010-01-01" and first["properties"]["time_shift"] is None


@pytest.mark.parametrize("step", ["day", "month"])
def test_towers_judged_one_after_the_other_or_all_at_once_give_the_same(sample, tmp_path, monkeypatch, step):
    (tmp_path / "one").mkdir()
    networks = [_read(name, sample, tmp_path, step) for name in ("fluxnet2015", "fluxnet")]
    together = _harmonise(tmp_path, *networks, step=step, quality=LIMITS | {"managed": "keep", "min_steps": 1})
    monkeypatch.setattr(stage, "AT_ONCE", 1)
    apart = _harmonise(tmp_path / "one", *networks, step=step, quality=LIMITS | {"managed": "keep", "min_steps": 1})
    assert together[1]["site"].tolist() == ["DE-Aaa", "NA-Bbb"]
    for one, two in zip(together, apart, strict=True):
        pd.testing.assert_frame_equal(one, two)


def test_a_remark_on_a_network_reaches_the_log_the_sites_and_the_acknowledgements(sample, tmp_path, caplog):
    network = _read("metaflux", sample, tmp_path, step="month")
    assert caplog.text.count("text order of the months") == 1
    assert pd.read_csv(network[1])["remark"].str.contains("text order").all()
    _, towers, _ = _harmonise(tmp_path, network, step="month", quality=LIMITS | {"min_steps": 12})
    assert "remark" not in towers
    for name in ("acknowledgements.txt", "citations.bib"):
        assert (tmp_path / name).read_text().count("text order of the months") == 1


def test_a_network_without_a_remark_says_nothing(sample, tmp_path):
    network = _read("fluxnet2015", sample, tmp_path)
    _harmonise(tmp_path, network)
    assert "Note" not in (tmp_path / "acknowledgements.txt").read_text()

"""The stage from raw files to the files that the rest of the pipeline reads."""

import pandas as pd
import pytest

from tamrl import contracts, registry
from tamrl.errors import InputError, TamrlError
from tamrl.towers import stage

LIMITS = {"nee_qc": 0.8, "min_steps": 60, "managed": "drop"}
TOWERS = {"exclude": [], "managed": {}, "quality": LIMITS}


def _read(network, sample, out, step="day"):
    plugin = registry.load(registry.NETWORKS, network)
    options = plugin.Options(**getattr(sample, network)(step))
    table, sites = out / f"{network}.parquet", out / f"{network}_sites.csv"
    stage.read_network(
        paths=plugin.inputs(options),
        table=str(table),
        sites=str(sites),
        network=network,
        options=options.model_dump(mode="json"),
        partitioning="NT",
        step=step,
    )
    return str(table), str(sites)


def _harmonise(out, *networks, step="day", **changes):
    files = {"merged": out / "towers.parquet", "towers_csv": out / "towers.csv", "quality": out / "quality.csv"}
    stage.harmonise_towers(
        tables=[t for t, _ in networks],
        sites=[s for _, s in networks],
        **{k: str(v) for k, v in files.items()},
        towers=TOWERS | changes,
        step=step,
    )
    read = {"keep_default_na": False, "na_values": {"n": [""]}}
    return pd.read_parquet(files["merged"]), pd.read_csv(files["towers_csv"], **read), pd.read_csv(files["quality"], **read)


def test_from_archives_to_towers(sample, tmp_path):
    table, towers, report = _harmonise(tmp_path, _read("fluxnet", sample, tmp_path))
    contracts.table(table, contracts.TOWERS, where="x")
    assert towers["site"].tolist() == ["DE-Aaa"]
    assert towers[["first", "last", "n"]].to_numpy().tolist() == [["2010-01-01", "2011-02-04", 400]]
    assert len(table) == 400 and table["gpp"].isna().sum() == 1
    whole = report[report["test"] == "managed"]
    assert whole[["site", "dropped", "kept", "note"]].to_numpy().tolist() == [["NA-Bbb", 400, 0, "irrigated"]]
    fills = report[report["test"] == "fill_values"].set_index("site")["dropped"]
    assert fills.to_dict() == {"DE-Aaa": 2, "NA-Bbb": 2}


def test_managed_towers_can_be_kept(sample, tmp_path):
    _, towers, _ = _harmonise(tmp_path, _read("fluxnet", sample, tmp_path), quality=LIMITS | {"managed": "keep"})
    assert towers["site"].tolist() == ["DE-Aaa", "NA-Bbb"] and towers["managed"].tolist() == ["", "irrigated"]


def test_the_output_does_not_depend_on_the_order_of_files(sample, tmp_path):
    network = _read("fluxnet2015", sample, tmp_path)
    one = _harmonise(tmp_path, network, quality=LIMITS | {"managed": "keep"})
    frame = pd.read_parquet(network[0]).sample(frac=1, random_state=1)
    frame.to_parquet(network[0], index=False)
    two = _harmonise(tmp_path, network, quality=LIMITS | {"managed": "keep"})
    for a, b in zip(one, two, strict=True):
        pd.testing.assert_frame_equal(a, b)


def test_two_networks(sample, tmp_path):
    first = _read("fluxnet2015", sample, tmp_path)
    second = _read("table", sample, tmp_path)
    table, towers, _ = _harmonise(tmp_path, first, second)
    assert towers[["site", "network", "koppen"]].to_numpy().tolist() == [["DE-Aaa", "table", "Temperate"]]
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
    assert {p.name for p in tmp_path.iterdir()} == {"raw", "fluxnet.parquet", "fluxnet_sites.csv"}


def test_a_broken_archive_leaves_nothing_behind(sample, tmp_path):
    sample.fluxnet("day")
    broken = next(sample.folder.glob("*.zip"))
    broken.write_bytes(broken.read_bytes()[:-100])
    sample.fluxnet = lambda step: {"path": str(sample.folder)}
    with pytest.raises(TamrlError, match=broken.name):
        _read("fluxnet", sample, tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["raw"]

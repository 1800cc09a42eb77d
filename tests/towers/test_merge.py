"""Merging of networks."""

import pandas as pd

from tamrl.towers import merge, sites


def _network(name, *rows):
    places = sites.site_table([{"site": s, "network": name, "lat": 1.0, "lon": 2.0, **extra} for s, _, extra in rows])
    dates = pd.to_datetime(["2010-01-01", "2010-01-02"])
    tables = [
        pd.DataFrame({"site": s, "date": dates, "gpp": value, "reco": value, "nee": 0.0, "nee_qc": 1.0}) for s, value, _ in rows
    ]
    return pd.concat(tables, ignore_index=True), places


def _merge(*networks):
    places, owner = merge.merge_sites([sites for _, sites in networks])
    names = [sites["network"].iloc[0] if len(sites) else "" for _, sites in networks]
    parts = merge.select_owned([records for records, _ in networks], names, owner)
    return pd.concat(parts).sort_values(["site", "date"], ignore_index=True), places


def test_the_later_network_has_the_whole_tower():
    old = _network("old", ("DE-Aaa", 1.0, {}), ("DE-Bbb", 1.0, {}))
    old[0].loc[1, "date"] = pd.Timestamp("1999-01-01")  # a day that only the older has
    new = _network("new", ("DE-Aaa", 2.0, {}))
    table, places = _merge(old, new)
    assert table.loc[table["site"] == "DE-Aaa", "gpp"].tolist() == [2.0, 2.0]
    assert table["date"].min() == pd.Timestamp("2010-01-01")
    assert places.set_index("site")["network"].to_dict() == {"DE-Aaa": "new", "DE-Bbb": "old"}
    assert _merge(new, old)[0]["gpp"].tolist() == [1.0] * 4


def test_what_the_later_network_does_not_know_comes_from_the_earlier():
    old = _network("old", ("DE-Aaa", 1.0, {"koppen": "Temperate", "igbp": "DBF", "managed": "irrigated", "fills_targets": 3}))
    new = _network("new", ("DE-Aaa", 2.0, {"igbp": "MF", "lat": 1.5}))
    row = _merge(old, new)[1].iloc[0]
    assert row[["koppen", "igbp", "managed", "lat", "network"]].tolist() == ["Temperate", "MF", "irrigated", 1.5, "new"]
    assert row["fills_targets"] == 0  # of the records that are used


def test_a_renamed_tower_is_one_tower():
    table, places = _merge(_network("old", ("DK-ZaF", 1.0, {})), _network("new", ("GL-ZaF", 2.0, {})))
    assert places["site"].tolist() == ["GL-ZaF"] and table["gpp"].tolist() == [2.0, 2.0]


def test_a_network_without_towers_does_no_harm():
    one = _network("one", ("DE-Aaa", 1.0, {}))
    empty = (one[0].iloc[:0], one[1].iloc[:0])
    assert len(_merge(one, empty)[0]) == 2


def test_management_of_the_configuration_adds_to_the_metadata():
    _, places = _network("x", ("DE-Aaa", 1.0, {}), ("DE-Bbb", 1.0, {"managed": "irrigated"}), ("SJ-Adv", 1.0, {}))
    found = merge.flag_managed(places, {"DE-Aaa": "orchard", "NO-Adv": "odd", "ZZ-Zzz": "nowhere"})
    assert found.set_index("site")["managed"].to_dict() == {"DE-Aaa": "orchard", "DE-Bbb": "irrigated", "SJ-Adv": "odd"}

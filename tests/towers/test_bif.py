"""BIF tables, invented and real."""

import numpy as np
import pytest

from tamrl.errors import InputError
from tamrl.towers import bif


def _places(text: str):
    return bif.places(bif.read(text.encode("latin-1"), where="x"), where="x").set_index("site")


HEAD = "SITE_ID;GROUP_ID;VARIABLE_GROUP;VARIABLE;DATAVALUE\n"


@pytest.mark.parametrize("separator", [";", ",", "\t"])
@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4), (4, 3, 2, 1, 0)])
def test_any_separator_and_order_of_columns(sample, separator, order):
    frame = bif.read(sample.bif("DE-Aaa", "NA-Bbb", separator=separator, columns=order), where="x")
    found = bif.places(frame, where="x").set_index("site")
    assert found.loc["DE-Aaa", ["lat", "lon", "elevation", "utc_offset"]].tolist() == [51.0, 10.5, 430.0, 1.0]
    assert found.loc["DE-Aaa", ["igbp", "koppen"]].tolist() == ["DBF", "Temperate"]
    assert found.loc["DE-Aaa", "managed"] is None
    assert found.loc["NA-Bbb", "managed"] == "irrigated"
    assert np.isnan(found.loc["NA-Bbb", "utc_offset"])


def test_the_newest_of_several_values_is_taken():
    rows = (
        "US-Xxx;2;GRP_LOCATION;LOCATION_LAT;2\nUS-Xxx;2;GRP_LOCATION;LOCATION_DATE_START;20101119\n"
        "US-Xxx;3;GRP_LOCATION;LOCATION_LAT;3\nUS-Xxx;3;GRP_LOCATION;LOCATION_DATE_START;2009\n"
        "US-Xxx;1;GRP_LOCATION;LOCATION_LAT;1\n"
    )
    assert _places(HEAD + rows).loc["US-Xxx", "lat"] == 2


def test_a_renamed_tower_stands_under_both_ids():
    found = _places(HEAD + "NO-Adv;1;GRP_LOCATION;LOCATION_LAT;78.186\n")
    assert found.loc["SJ-Adv", "lat"] == found.loc["NO-Adv", "lat"] == 78.186


def test_a_site_id_that_is_a_path_is_refused():
    with pytest.raises(InputError, match=r"\.\./\.\./x"):
        _places(HEAD + "../../x;1;GRP_LOCATION;LOCATION_LAT;1\n")


def test_a_table_of_something_else_is_refused():
    with pytest.raises(InputError, match="VARIABLE_GROUP"):
        bif.read(b"site,lat,lon\nDE-Hai,51,10\n", where="x")


def test_the_real_table(shared_data):
    found = bif.read_file(shared_data / "archives" / "metadata" / "FLX_AA-Flx_BIF_LATEST.csv").set_index("site")
    assert len(found) == 212 + 5  # five renamed towers stand twice
    assert found["managed"].dropna().to_dict() == {"US-Ne1": "irrigated", "US-Ne2": "irrigated", "US-ORv": "flooded"}
    hainich = found.loc["DE-Hai"]
    assert (hainich["lat"], hainich["lon"], hainich["igbp"], hainich["utc_offset"]) == (51.0792, 10.4530, "DBF", 1.0)
    assert found.loc["US-Tw4", "elevation"] == -5
    assert found.loc["DE-RuS", "lon"] == 6.4472
    assert found["igbp"].notna().all() and found[["lat", "lon"]].notna().all(axis=None)

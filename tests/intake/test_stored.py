"""Stored numbers become the values that were meant, however they are packed and declared; what is ambiguous is refused."""

import netCDF4
import numpy as np
import pytest
import xarray as xr
import zarr
from hypothesis import given
from hypothesis import strategies as st

from tamrl.errors import InputError
from tamrl.intake import arrays, stored

WHERE = "a.nc (EVI)"
TRUTH = np.array([[-0.2, 0.0, 0.4], [1.0, 0.123, 0.0]])
"""Physical values; zeros are some of them."""

INTEGERS = ["i2", "u2", "i4", "u4", ">i2", ">i4", "i8"]


def decode(numbers, attrs, **more):
    return stored.make_decoder(attrs, numbers.dtype, where=WHERE, **more).values(numbers)


def packings():
    """Scale, offset and type of numbers that can hold the truth to a thousandth."""
    return st.tuples(
        st.sampled_from([1e-4, 2e-5, 3.3e-5, 1e-3, -1e-4]), st.sampled_from([0.0, 0.1, 0.4, -0.25]), st.sampled_from(INTEGERS)
    ).filter(lambda p: np.iinfo(p[2]).min <= min((TRUTH.ravel() - p[1]) / p[0]) and max((TRUTH.ravel() - p[1]) / p[0]) <= 32000)


def as_declared(value, how):
    """A number as files write it."""
    if how == "text":
        return f"{value:.10g}"
    return {"array": np.array([value]), "single": np.float32(value), "double": np.float64(value)}[how]


@given(
    packing=packings(), how=st.sampled_from(["text", "array", "double"]), fill=st.sampled_from(["_FillValue", "missing_value"])
)
def test_any_packing_gives_the_truth(packing, how, fill):
    scale, offset, kind = packing
    numbers = np.round((TRUTH - offset) / scale).astype(kind)
    hole = np.array(32767, kind)
    numbers = np.vstack([numbers, [[hole] * 3]])
    attrs = {"scale_factor": as_declared(scale, how), fill: as_declared(32767, "text") if how == "text" else hole}
    attrs |= {"add_offset": as_declared(offset, how)} if offset else {}
    found = decode(numbers, attrs)
    np.testing.assert_allclose(found, np.vstack([TRUTH, [[np.nan] * 3]]), atol=abs(scale))
    assert found.dtype in ("f4", "f8")


@given(packing=packings(), how=st.sampled_from(["stored", "physical", "text", "text to", "physical text", "min and max"]))
def test_a_valid_range_is_understood_or_refused_by_name(packing, how):
    """Values beyond -0.1 and 0.9 are missing, whatever the units of the range."""
    scale, offset, kind = packing
    numbers = np.round((TRUTH - offset) / scale).astype(kind)
    ends = sorted(round((v - offset) / scale) for v in (-0.1, 0.9))
    whole = np.array(ends, np.dtype(kind).newbyteorder("="))
    declared = {
        "stored": {"valid_range": whole},
        "physical": {"valid_range": np.array([-0.1, 0.9])},
        "text": {"valid_range": f"{ends[0]}, {ends[1]}"},
        "text to": {"valid_range": f"{ends[0]} to {ends[1]}"},
        "physical text": {"valid_range": "-0.1 0.9"},
        "min and max": {"valid_min": whole[0], "valid_max": whole[1]},
    }[how]
    if whole[0] != ends[0]:
        return  # the type cannot hold the range
    try:
        found = decode(numbers, {"scale_factor": scale, "add_offset": offset, **declared})
    except InputError as error:
        assert "valid range" in error.asked and "valid" in error.found and error.where == WHERE
        assert how.startswith("text"), "a type says which units are meant"
        return
    np.testing.assert_allclose(found, np.where((TRUTH < -0.1) | (TRUTH > 0.9), np.nan, TRUTH), atol=abs(scale))


@pytest.mark.parametrize(
    "valid",
    [
        "-2000, 10000",
        "-2000 to 10000",
        "-2000 10000",
        "[-2000, 10000]",
        "-2000 - 10000",
        "-2000..10000",
        "\u22122000; 10000",
        b"-2000,10000",
    ],
)
def test_ranges_as_people_write_them(valid):
    numbers = np.array([-3000, -2000, 0, 10000, 10001], "int16")
    found = decode(numbers, {"scale_factor": 1e-4, "valid_range": valid})
    np.testing.assert_allclose(found, [np.nan, -0.2, 0, 1, np.nan], atol=1e-6)


@pytest.mark.parametrize(
    "attrs, name",
    [
        ({"valid_range": "0, 100", "scale_factor": 0.1}, "valid_range"),
        ({"valid_range": np.array([0, 1], "uint8"), "scale_factor": 0.005}, "valid_range"),
        ({"valid_range": "many"}, "valid_range"),
        ({"valid_range": "0, 1, 2"}, "valid_range"),
        ({"valid_range": np.array([5, 1])}, "valid_range"),
        ({"valid_min": "low"}, "valid_min"),
        ({"scale_factor": "0,0001"}, "scale_factor"),
        ({"scale_factor": 0.0}, "scale_factor"),
        ({"scale_factor": np.nan}, "scale_factor"),
        ({"scale_factor": np.array([1.0, 2.0])}, "scale_factor"),
        ({"add_offset": "none"}, "add_offset"),
        ({"_FillValue": "missing"}, "_FillValue"),
        ({"missing_value": True}, "missing_value"),
    ],
)
def test_what_cannot_be_understood_is_refused_with_layer_and_attribute(attrs, name):
    with pytest.raises(InputError) as caught:
        decode(np.zeros(3, "uint8"), attrs)
    assert name in f"{caught.value.asked} {caught.value.found}" and caught.value.where == WHERE


def test_several_missing_values_and_a_zero():
    numbers = np.array([0, 1, -1, -2, 250], "int16")
    attrs = {"_FillValue": np.int16(-1), "missing_value": np.array([-2, 250, 70000]), "scale_factor": 2.0}
    np.testing.assert_array_equal(decode(numbers, attrs), [0, 2, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(decode(np.array([0.0, np.nan, 1e20], "f4"), {"_FillValue": 1e20}), [0, np.nan, np.nan])
    np.testing.assert_array_equal(decode(np.array([0, 3], "uint8"), {"_FillValue": 0}), [np.nan, 3])


def test_unsigned_numbers_in_signed_types():
    numbers = np.array([0, 100, -56, -1], "int8")
    attrs = {"_Unsigned": "true", "_FillValue": np.int8(-1), "valid_range": np.array([0, -2], "int8"), "scale_factor": 0.5}
    np.testing.assert_array_equal(decode(numbers, attrs), [0, 50, 100, np.nan])
    np.testing.assert_array_equal(decode(np.array([255, 1], "uint8"), {"_Unsigned": "false"}), [-1, 1])


@pytest.mark.parametrize(
    "rule, scale, offset, expected",
    [
        ("hdf4", 1e4, 0, 0.4),
        ("hdf4", 1e4, 1000, 0.3),
        ("hdf4", 1e-4, 1000, 0.3),
        ("hdf4", "10000", 0, 0.4),
        ("modis", 1e4, 0, 0.4),
        ("modis", 1e-4, 0.1, 0.5),
        ("cf", 1e-4, 0.1, 0.5),
        ("cf", 2.0, 1.0, 8001.0),
    ],
)
def test_multiply_or_divide(rule, scale, offset, expected):
    attrs = {"scale_factor": scale, "add_offset": offset}
    assert decode(np.array([4000], "int16"), attrs, rule=rule, dtype=np.dtype("f4"))[0] == pytest.approx(expected)


def test_the_limits_of_a_product_hold_in_any_packing():
    product = {"limits": (-0.2, 1.0), "assumed": {"scale_factor": 1e-4, "_FillValue": -3000}}
    np.testing.assert_allclose(decode(np.array([-3000, -2000, 0, 9000], "i2"), {}, **product), [np.nan, -0.2, 0, 0.9], atol=1e-6)
    attrs = {"scale_factor": 2e-5, "add_offset": 0.4}
    np.testing.assert_allclose(decode(np.array([-30001, -30000, -3000, 30000], "i2"), attrs, **product), [np.nan, -0.2, 0.34, 1])
    attrs = {"valid_range": np.array([-2000, 10000])}  # left over by a tool that unpacked the values
    np.testing.assert_allclose(decode(np.array([-0.3, -0.2, 0.0, 1.0], "f4"), attrs, **product), [np.nan, -0.2, 0, 1], atol=1e-6)


def test_flags_keep_their_zero():
    flags = np.array([0, 1, 2, 255], "uint8")
    assert stored.decode_codes(flags, {"_FillValue": 255}, where=WHERE).tolist() == [0, 1, 2, -1]
    assert stored.decode_codes(flags, {"_FillValue": 0}, where=WHERE).tolist() == [0, 1, 2, 255]
    assert stored.decode_codes(np.array([0.0, 1.0, np.nan]), {}, where=WHERE).tolist() == [0, 1, -1]
    assert stored.decode_codes(np.array([0, 10], "i2"), {"scale_factor": 0.1}, where=WHERE).tolist() == [0, 1]
    assert stored.decode_codes(np.array([2**32 - 1], "u4"), {}, where=WHERE).tolist() == [2**32 - 1]
    with pytest.raises(InputError, match="whole numbers"):
        stored.decode_codes(np.array([0.5]), {}, where=WHERE)


def netcdf(path, numbers, attrs, format="NETCDF4"):
    with netCDF4.Dataset(path, "w", format=format) as file:
        for name, size in zip(("y", "x"), numbers.shape, strict=True):
            file.createDimension(name, size)
        layer = file.createVariable("EVI", numbers.dtype, ("y", "x"), fill_value=attrs.get("_FillValue"))
        layer.set_auto_maskandscale(False)
        layer.setncatts({k: v for k, v in attrs.items() if k != "_FillValue"})
        layer[:] = numbers
    return xr.open_dataset(path, decode_cf=False, cache=False)


def zarr_store(path, numbers, attrs, format):
    packed = xr.Dataset({"EVI": (("y", "x"), numbers, attrs)})
    packed.to_zarr(path, zarr_format=format, consolidated=False)
    return xr.open_zarr(path, chunks=None, mask_and_scale=False, consolidated=False)


ATTRS = {
    "_FillValue": np.int16(-3000),
    "missing_value": np.int16(-3001),
    "valid_range": "-2000 to 10000",
    "scale_factor": "0.0001",
    "add_offset": 0.1,
}
FORMATS = {
    "NetCDF-4": netcdf,
    "classic NetCDF": lambda *of: netcdf(*of, format="NETCDF3_CLASSIC"),
    "Zarr 2": lambda *of: zarr_store(*of, format=2),
    "Zarr 3": lambda *of: zarr_store(*of, format=3),
}


@pytest.mark.parametrize("format", FORMATS)
def test_odd_attributes_in_every_format(tmp_path, format):
    numbers = np.array([[-3000, -3001, -2500], [0, 3000, 10000]], "int16")
    ds = FORMATS[format](tmp_path / "a", numbers, ATTRS)
    found = arrays.decode_dataset(ds, where="a")["EVI"]
    assert not set(found.attrs) & set(stored.ATTRIBUTES)
    np.testing.assert_allclose(found.values, [[np.nan] * 3, [0.1, 0.4, 1.1]], atol=1e-6)


@pytest.mark.parametrize("format", FORMATS)
@given(packing=packings())
def test_ordinary_packings_give_the_bits_of_xarray(tmp_path_factory, format, packing):
    scale, offset, kind = packing
    if kind in ("u2", "u4", "i8") and format == "classic NetCDF":
        return
    numbers = np.round((TRUTH - offset) / scale).astype(np.dtype(kind).newbyteorder("="))
    attrs = {"scale_factor": scale, "add_offset": offset, "_FillValue": numbers.dtype.type(32000)}
    path = tmp_path_factory.mktemp("bits") / "a"
    raw = FORMATS[format](path, numbers, attrs)
    expected = xr.decode_cf(raw.copy())["EVI"]
    found = arrays.decode_dataset(raw, where="a")["EVI"]
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found.values, expected.values)


@pytest.mark.parametrize("format", [2, 3])
def test_a_zero_in_zarr_is_a_value(tmp_path, format):
    """`fill_value: 0` is what an absent chunk holds, in Zarr 2 by default."""
    array = zarr.create_array(tmp_path / "a.zarr/rain", shape=(4, 3), chunks=(2, 3), dtype="f4", fill_value=0, zarr_format=format)
    array[:2] = np.array([[0, 1, 2], [3, 0, 5]], "f4")
    if format == 2:
        array.attrs["_ARRAY_DIMENSIONS"] = ["y", "x"]
        zarr.open_group(tmp_path / "a.zarr", zarr_format=2)
        ds = xr.open_zarr(tmp_path / "a.zarr", chunks=None, mask_and_scale=False, consolidated=False)
        found = arrays.decode_dataset(ds, where="a", defaults_to_zero=True)["rain"]
        np.testing.assert_array_equal(found.values, [[0, 1, 2], [3, 0, 5], [0, 0, 0], [0, 0, 0]])


def test_damage_within_a_file_is_named_when_the_values_are_read(tmp_path):
    numbers = np.random.default_rng(1).integers(0, 10000, (200, 300)).astype("int16")
    with netCDF4.Dataset(tmp_path / "a.nc", "w") as file:
        file.createDimension("y", 200), file.createDimension("x", 300)
        file.createVariable("EVI", "i2", ("y", "x"), zlib=True, fletcher32=True)[:] = numbers
    content = bytearray((tmp_path / "a.nc").read_bytes())
    content[-20_000:-19_000] = b"\x55" * 1000
    (tmp_path / "a.nc").write_bytes(bytes(content))
    found = arrays.decode_dataset(xr.open_dataset(tmp_path / "a.nc", decode_cf=False, cache=False), where="a.nc")["EVI"]
    with pytest.raises(InputError, match=r"a\.nc \(EVI\)") as caught:
        found.compute()
    assert "fetch" not in caught.value.todo


def test_an_odd_attribute_of_another_variable_is_no_hindrance(tmp_path):
    with netCDF4.Dataset(tmp_path / "a.nc", "w") as file:
        file.createDimension("y", 2), file.createDimension("x", 2)
        for name in ("EVI", "other"):
            file.createVariable(name, "i2", ("y", "x"))[:] = 1
        file["other"].setncatts({"valid_range": "many"})
    ds = arrays.decode_dataset(xr.open_dataset(tmp_path / "a.nc", decode_cf=False), where="a.nc")
    assert (ds["EVI"].values == 1).all()
    with pytest.raises(InputError, match="valid_range"):
        ds["other"].compute()

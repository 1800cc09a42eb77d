"""One and the same field, packed in every way that tools write, is one and the same driver; flags keep their zeros."""

import netCDF4
import numpy as np
import pandas as pd
import pytest
import rasterio
import xarray as xr
from pyhdf.SD import SD, SDC

from tamrl.calendar import TimeAxis
from tamrl.drivers import granules, subsets
from tamrl.drivers.formats import geotiff, hdf4, mod13
from tamrl.drivers.sources import cds_era5, mcd43c4, modis, static
from tamrl.errors import InputError, MachineError
from tamrl.towers import koppen_map

EVI = np.array([[0.0, 0.4, -0.2, 1.0], [0.1, np.nan, 0.25, 0.0]])
RANK = np.array([[0, 1, 2, 3], [0, 0, 0, 1]])
WEIGHT = np.array([[1, 0.5, 0.1, 0], [1, 1, 1, 0.5]])
VALID = np.array([-2000, 10000], "int16")
PACKINGS = {
    "as the product": (1e-4, 0, {"valid_range": VALID, "_FillValue": -3000}),
    "divided": (1e-4, 0, {"scale_factor": 10000.0, "valid_range": VALID, "_FillValue": -3000}),
    "scale as text": (1e-4, 0, {"scale_factor": "0.0001", "valid_range": VALID, "_FillValue": -3000}),
    "array of one": (1e-4, 0, {"scale_factor": np.array([1e-4]), "_FillValue": -3000}),
    "range as text": (1e-4, 0, {"valid_range": "-2000 to 10000", "_FillValue": -3000}),
    "range in EVI": (1e-4, 0, {"valid_range": np.array([-0.2, 1.0]), "_FillValue": -3000}),
    "least and most": (1e-4, 0, {"valid_min": np.int16(-2000), "valid_max": "10000", "_FillValue": -3000}),
    "nothing said": (1e-4, 0, {"scale_factor": None}),
    "missing_value": (1e-4, 0, {"missing_value": np.array([-3000, -3001], "int16")}),
    "offset": (1e-4, 0.1, {"_FillValue": -32768}),
    "packed anew": (2e-5, 0.4, {"_FillValue": -32768}),
    "reals": (1.0, 0, {"scale_factor": None, "valid_range": VALID}),
}


def pack(how):
    scale, offset, attrs = PACKINGS[how]
    attrs = {"scale_factor": scale, "add_offset": offset} | attrs
    attrs = {k: v for k, v in attrs.items() if v is not None and (k, v) != ("add_offset", 0)} if offset == 0 else attrs
    fill = np.ravel(attrs.get("_FillValue", attrs.get("missing_value", -3000)))[0]
    if how == "reals":
        return EVI.astype("f4"), attrs
    return np.where(np.isnan(EVI), fill, np.round((np.nan_to_num(EVI) - offset) / scale)).astype("int16"), attrs


def composite(path, layers):
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("lat", 2), file.createDimension("lon", 4)
        file.createVariable("lat", "f8", ("lat",))[:] = [45, -45]
        file.createVariable("lon", "f8", ("lon",))[:] = [-135, -45, 45, 135]
        for name, (numbers, attrs) in layers.items():
            layer = file.createVariable(name, numbers.dtype, ("lat", "lon"), fill_value=attrs.get("_FillValue"))
            layer.set_auto_maskandscale(False)
            layer.setncatts({k: v for k, v in attrs.items() if k != "_FillValue"})
            layer[:] = numbers


def read(folder, name="evi", source=modis):
    return source.open_dynamic(source.Options(path=str(folder)), names=(name,), axis=TimeAxis.of_years("day", (2011,)))[
        name
    ].load()


@pytest.mark.parametrize("how", PACKINGS)
def test_vegetation(tmp_path, how):
    layers = {
        f"{mod13.LAYER} EVI": pack(how),
        f"{mod13.RELIABILITY}": (RANK.astype("i1"), {"_FillValue": np.int8(-1)}),
    }
    composite(tmp_path / "MOD13C1.A2011001.061.nc", layers)
    found = read(tmp_path)
    np.testing.assert_allclose(found[0].values, EVI, atol=1e-5)
    np.testing.assert_allclose(found["weight"][0].values, WEIGHT)


def test_an_ambiguous_range_names_file_layer_and_attribute(tmp_path):
    numbers, attrs = np.full((2, 4), 30, "uint8"), {"scale_factor": 0.01, "valid_range": "0, 25"}
    rank = {f"{mod13.RELIABILITY}": (RANK.astype("i1"), {})}
    composite(tmp_path / "MOD13C1.A2011001.061.nc", {f"{mod13.LAYER} EVI": (numbers, attrs)} | rank)
    with pytest.raises(
        InputError, match=r"(?s)valid range.*MOD13C1\.A2011001\.061\.nc \(CMG 0\.05 Deg 16 days EVI\).*valid_range"
    ):
        read(tmp_path)


@pytest.mark.parametrize("fill", [0, 255, None])
@pytest.mark.parametrize("kind", ["u1", "f4", "packed"])
def test_flags_of_zero_are_the_best(tmp_path, fill, kind):
    """Quality 0 is a full inversion, snow 0 is none, even where a tool wrote `_FillValue: 0`."""
    attrs = {} if fill is None else {"_FillValue": np.dtype("i2" if kind == "packed" else kind).type(fill)}
    quality, snow = np.array([[0, 2, 5, 0]] * 2), np.array([[0, 0, 0, 80]] * 2)
    if kind == "packed":
        flags = {
            n: ((v * 10).astype("i2"), attrs | {"scale_factor": 0.1})
            for n, v in (("BRDF_Quality", quality), ("Percent_Snow", snow))
        }
    else:
        flags = {"BRDF_Quality": (quality.astype(kind), attrs), "Percent_Snow": (snow.astype(kind), attrs)}
    bands = {
        f"Nadir_Reflectance_Band{b}": (np.full((2, 4), v, "i2"), {"scale_factor": 1e-4})
        for b, v in ((1, 500), (2, 3500), (3, 300))
    }
    composite(tmp_path / "MCD43C4.A2011001.061.nc", flags | bands)
    found = read(tmp_path, "ndvi", mcd43c4)
    np.testing.assert_allclose(found[0].values, 0.75, rtol=1e-5)
    np.testing.assert_allclose(found["weight"][0, 0].values, [1, 0.5, 0.1, 0.1])


ERA5 = {
    "as delivered": ("i2", {"scale_factor": 0.002, "add_offset": 280.0, "_FillValue": np.int16(-32767)}),
    "two missing values": ("i2", {"scale_factor": 0.002, "add_offset": 280.0, "missing_value": np.array([-32767, -32766], "i2")}),
    "all as text": (
        "i2",
        {"scale_factor": "0.002", "add_offset": "280", "_FillValue": np.int16(-32767), "valid_range": "200.5, 310.5"},
    ),
    "range in numbers": ("i2", {"scale_factor": 0.002, "add_offset": 280.0, "valid_range": np.array([-32000, 32000], "i2")}),
    "range in kelvins": ("i2", {"scale_factor": 0.002, "add_offset": 280.0, "valid_range": np.array([220.0, 340.0])}),
    "unsigned": ("i2", {"scale_factor": 0.002, "add_offset": 214.46, "_Unsigned": "true", "_FillValue": np.int16(-1)}),
    "reals": ("f4", {"missing_value": 1e20, "valid_max": 400.0}),
}


@pytest.mark.parametrize("how", ERA5)
@pytest.mark.parametrize("format", ["NETCDF4", "NETCDF3_CLASSIC"])
def test_temperature(tmp_path, how, format):
    kind, attrs = ERA5[how]
    kelvin = 280 + 30 * np.cos(np.arange(365 * 3 * 4) / 7).reshape(365, 3, 4)
    holes = np.zeros(kelvin.shape, bool)
    holes[5, 1] = True
    scale, offset = float(attrs.get("scale_factor", 1)), float(attrs.get("add_offset", 0))
    fill = np.ravel(attrs.get("_FillValue", attrs.get("missing_value", -32767)))[0]
    numbers = np.where(holes, fill, (kelvin - offset) / scale if kind == "f4" else np.round((kelvin - offset) / scale))
    with netCDF4.Dataset(tmp_path / "era5.nc", "w", format=format) as file:
        axes = {"time": np.arange(365), "latitude": [10.0, 0.0, -10.0], "longitude": [0.0, 10.0, 20.0, 30.0]}
        for name, values in axes.items():
            file.createDimension(name, len(values))
            file.createVariable(name, "f8", (name,))[:] = values
        file["time"].units = "days since 2011-01-01"
        layer = file.createVariable("t2m", kind, tuple(axes), fill_value=attrs.get("_FillValue"))
        layer.set_auto_maskandscale(False)
        layer.setncatts({k: v for k, v in attrs.items() if k != "_FillValue"} | {"units": "K"})
        layer[:] = numbers.astype("int64").astype("uint16").view("int16") if "_Unsigned" in attrs else numbers.astype(kind)
    found = read(tmp_path, "air_temperature", cds_era5)
    np.testing.assert_allclose(found.values, np.where(holes, np.nan, kelvin), atol=0.0011)


def tif(path, values, *, scale=1.0, offset=0.0, nodata=None):
    size = 180 / values.shape[0]
    profile = {"driver": "GTiff", "height": values.shape[0], "width": values.shape[1], "count": 1, "dtype": values.dtype}
    path.parent.mkdir(exist_ok=True)
    with rasterio.open(path, "w", transform=rasterio.Affine(size, 0, -180, 0, -size, 90), nodata=nodata, **profile) as file:
        file.write(values, 1)
        file.scales, file.offsets = (scale,), (offset,)


METRES = np.array([[0.0, 120.5, np.nan, 2000.0]] * 2)


@pytest.mark.parametrize(
    "kind, scale, offset, nodata",
    [("f4", 1, 0, -9999), ("f4", 1, 0, np.nan), ("i2", 0.5, 0, -32768), ("i2", 0.1, 500, -32768), ("u2", 0.5, -100, 65535)],
)
def test_elevation(tmp_path, kind, scale, offset, nodata):
    numbers = np.where(np.isnan(METRES), nodata, (np.nan_to_num(METRES) - offset) / scale)
    tif(
        tmp_path / "elevation.tif",
        np.round(numbers, 0 if kind != "f4" else 1).astype(kind),
        scale=scale,
        offset=offset,
        nodata=nodata,
    )
    found = static.open_static(static.Options(path=str(tmp_path)), names=("elevation",))["elevation"]
    np.testing.assert_allclose(found.values, METRES, atol=1e-3)


def test_classes_with_scale_are_refused_and_zero_is_one(tmp_path):
    codes = np.array([[0, 1, 4, 10]] * 2, "uint8")
    tif(tmp_path / "land_cover.tif", codes, nodata=0)
    options = static.Options(path=str(tmp_path))
    assert static.open_static(options, names=("land_fraction",))["land_fraction"].values.tolist() == [[0, 1, 1, 1]] * 2
    tif(tmp_path / "land_cover.tif", codes, scale=0.5)
    with pytest.raises(InputError, match="no scale"):
        static.open_static(options, names=("land_fraction",))
    with pytest.raises(InputError, match="no scale"):
        koppen_map.koppen_groups(tmp_path / "land_cover.tif", lat=[1.0], lon=[1.0])


def test_damage_within_a_map_is_named_when_it_is_read(write, tmp_path):
    write.write_tif(tmp_path / "elevation.tif", np.random.default_rng(1).normal(500, 100, (180, 360)).astype("f4"))
    content = bytearray((tmp_path / "elevation.tif").read_bytes())
    content[len(content) // 2 : len(content) // 2 + 5000] = b"\x55" * 5000
    (tmp_path / "elevation.tif").write_bytes(bytes(content))
    found = static.open_static(static.Options(path=str(tmp_path)), names=("elevation",))["elevation"]
    with pytest.raises(InputError, match=r"elevation\.tif, rows 0 to 179") as caught:
        found.compute()
    assert "fetch" not in caught.value.todo


def test_damage_within_hdf4_is_named(tmp_path):
    file = SD(str(tmp_path / "a.hdf"), SDC.WRITE | SDC.CREATE)
    layer = file.create("NDVI", SDC.INT16, (100, 200))
    layer.setcompress(SDC.COMP_DEFLATE, 5)
    layer[:] = np.random.default_rng(1).integers(0, 10000, (100, 200)).astype("i2")
    layer.endaccess(), file.end()
    content = bytearray((tmp_path / "a.hdf").read_bytes())
    content[5000:15000] = b"\xff" * 10000
    (tmp_path / "a.hdf").write_bytes(bytes(content))
    with pytest.raises(InputError, match=r"a\.hdf \(NDVI\)") as caught:
        hdf4.hdf4_layer(tmp_path / "a.hdf", "NDVI")
    assert "fetch" not in caught.value.todo


def test_the_machine_is_not_taken_for_the_file(tmp_path, monkeypatch):
    tif(tmp_path / "elevation.tif", np.zeros((2, 4), "f4"))

    def full(*args, **options):
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(geotiff.rasterio, "open", full)
    with pytest.raises(MachineError, match="open files"):
        geotiff.open_map(tmp_path / "elevation.tif")


def test_flags_of_a_granule(tmp_path):
    """A fill value of 0 is the clear state; the fill value of the product is not clear."""
    file = SD(str(tmp_path / "a.hdf"), SDC.WRITE | SDC.CREATE)
    layers = {"state_1km_1": (SDC.UINT16, 0, "uint16", 0, 2), "QC_500m_1": (SDC.UINT32, 0, "uint32", 0, 4)}
    layers |= {f"sur_refl_b{b:02d}_1": (SDC.INT16, v, "int16", -28672, 4) for b, v in ((1, 500), (2, 4000), (3, 300), (6, 2000))}
    for name, (kind, value, dtype, fill, size) in layers.items():
        layer = file.create(name, kind, (size, size))
        layer[:] = np.full((size, size), value, dtype)
        layer.setfillvalue(fill)
        if kind == SDC.INT16:
            layer.scale_factor, layer.add_offset = 10000.0, 100.0
        layer.endaccess()
    file.end()
    found = granules.indices_around(tmp_path / "a.hdf", row=1, column=1)
    assert found["ndvi"] == pytest.approx((0.39 - 0.04) / 0.43, rel=1e-5), "(stored - offset) / scale"


def table(path, rows):
    head = "product, band, dt, value_mean, value_center, pixels_total, pixels_pass_qa\n"
    path.write_text(head + "".join(f"MOD15A2H, Lai_500m, {row}\n" for row in rows))


def test_tables_of_subsets(tmp_path):
    table(tmp_path / "a.csv", ["2011-01-01, 0.0, F, 9, 9", "2011-01-09, -9999, 1.5, 9, 9", "2011-01-17, 2.5, 2, 9, 0"])
    found = subsets.read_subset(tmp_path / "a.csv")
    np.testing.assert_array_equal(found[["value", "centre"]], [[0, np.nan], [np.nan, 1.5], [np.nan, np.nan]])
    table(tmp_path / "b.csv", ["2011-01-01, 0.0, F, 9, 9", "2011-01-09, 1.2x, 1.5, 9, 9"])
    with pytest.raises(InputError, match=r"(?s)b\.csv \(value_mean\), line 3.*1\.2x"):
        subsets.read_subset(tmp_path / "b.csv")
    content = (tmp_path / "a.csv").read_bytes()
    for length in (len(content) - 1, len(content) - 2, len(content) // 2, 0):
        (tmp_path / "a.csv").write_bytes(content[:length])
        with pytest.raises(InputError, match=r"a\.csv"):
            subsets.read_subset(tmp_path / "a.csv")


def test_every_odd_attribute_of_a_field_waits_until_it_is_read(tmp_path):
    """A file of many variables is not refused for one that nobody asked for."""
    times = pd.date_range("2011-01-01", "2011-12-31")
    fields = {n: (("time", "lat", "lon"), np.full((365, 2, 2), 280.0, "f4")) for n in ("t2m", "odd")}
    ds = xr.Dataset(fields, {"time": times, "lat": [10.0, 0.0], "lon": [0.0, 10.0]})
    ds["odd"].attrs["valid_range"] = "many"
    ds.to_netcdf(tmp_path / "a.nc")
    assert (read(tmp_path, "air_temperature", cds_era5) == 280).all()


@pytest.mark.parametrize("day", ["000", "366", "400"])
def test_a_name_without_a_day_is_refused(tmp_path, day):
    (tmp_path / f"MOD13C1.A2011{day}.061.nc").write_bytes(b"")
    with pytest.raises(InputError, match=f"(?s)no day.*A2011{day}"):
        read(tmp_path)
    (tmp_path / f"MOD09GA.A2011{day}.h18v03.061.hdf").write_bytes(b"")
    with pytest.raises(InputError, match=f"(?s)no day.*MOD09GA.A2011{day}"):
        granules.granules_at_towers(tmp_path, pd.DataFrame({"site": [], "lat": [], "lon": []}))

"""Small files in the layouts of published products; their values are simulated here and known."""

from calendar import monthrange
from collections.abc import Callable
from pathlib import Path

import netCDF4
import numpy as np
import rasterio
from rasterio.transform import from_origin

MOLAR = 12.011
YEARS = (2010, 2011)
SIZE = 10.0


def fluxes(quantity: str, lat: np.ndarray, lon: np.ndarray, year: int, month: int) -> np.ndarray:
    """Simulated flux (lat, lon), gC m-2 d-1: a season that is opposite in the two hemispheres, and a change between years."""
    season = np.cos(2 * np.pi * (month - 7) / 12) * np.sin(np.deg2rad(lat))[:, None]
    place = 0.2 * np.cos(np.deg2rad(lon))[None]
    gpp = 4 + 3 * season + place + 0.05 * (year - 2010)
    reco = 2.8 + 1.2 * season + place
    return {"gpp": gpp, "reco": reco, "nee": reco - gpp, "nbe": reco - gpp + 0.1}[quantity]


def axes(size: float = SIZE, *, north_up: bool = True, east: float = -180.0) -> tuple[np.ndarray, np.ndarray]:
    lat = 90 - size / 2 - size * np.arange(round(180 / size))
    return (lat if north_up else lat[::-1]), east + size / 2 + size * np.arange(round(360 / size))


def days_in(year: int, month: int) -> int:
    return monthrange(year, month)[1]


class Netcdf:
    """A NetCDF file of one product."""

    def __init__(self, path: Path, lat: np.ndarray, lon: np.ndarray, names: tuple[str, str] = ("lat", "lon")) -> None:
        self.file, self.lat, self.lon, self.names = netCDF4.Dataset(path, "w"), lat, lon, names
        for name, values in zip(names, (lat, lon), strict=True):
            self.file.createDimension(name, values.size)
            self.file.createVariable(name, "f8", (name,))[:] = values

    def times(self, values, units: str, *, name: str = "time", calendar: str = "standard") -> None:
        self.file.createDimension(name, len(values))
        variable = self.file.createVariable(name, "f8", (name,))
        variable.units, variable.calendar = units, calendar
        variable[:] = values

    def field(self, name: str, values: np.ndarray, units: str | None, *, first: tuple[str, ...] = ("time",), kind="f4", **attrs):
        fill = attrs.pop("fill", None)
        variable = self.file.createVariable(name, kind, (*first, *self.names), fill_value=fill)
        if units:
            variable.units = units
        variable.setncatts(attrs)
        variable.set_auto_maskandscale(False)
        variable[:] = values

    def close(self) -> None:
        self.file.close()


def _year(quantity: str, lat: np.ndarray, lon: np.ndarray, year: int) -> np.ndarray:
    return np.stack([fluxes(quantity, lat, lon, year, month) for month in range(1, 13)])


def _since(year: int, month: int, origin: str = "1970-01-01", day: int = 1) -> float:
    return float((np.datetime64(f"{year}-{month:02d}-{day:02d}") - np.datetime64(origin)).astype(int))


def _months(year: int, origin: str) -> list[float]:
    return [_since(year, month, origin) for month in range(1, 13)]


def x_base(folder: Path) -> None:
    lat, lon = axes()
    for year in YEARS:
        for name, quantity in (("GPP", "gpp"), ("NEE", "nee")):
            out = Netcdf(folder / f"{name}_{year}_050_monthly.nc", lat, lon)
            out.times(_months(year, "1970-01-01"), "days since 1970-01-01")
            out.field(name, _year(quantity, lat, lon, year), "gC m-2 d-1")
            out.field("land_fraction", np.full((lat.size, lon.size), 0.5), "1", first=())
            out.close()


def _fluxcom(folder: Path, form: str, origin: str) -> None:
    lat, lon = axes()
    for year in YEARS:
        for name, quantity, fp in (("GPP", "gpp", "ALL"), ("TER", "reco", "ALL"), ("NEE", "nee", "NONE")):
            out = Netcdf(folder / form.format(name=name, fp=fp, year=year), lat, lon)
            out.times(_months(year, origin), f"days since {origin} 00:00:00")
            values = _year(quantity, lat, lon, year)
            values[:, :, 0] = 0.0  # sea
            # netCDF-C#2235: the standard name tells nothing of the sign
            out.field(name, values, "gC m-2 d-1", standard_name="net_primary_productivity_of_carbon", fill=np.float32(-9999))
            out.field(f"{name}_mad", values * 0.1, "gC m-2 d-1")
            out.close()


def rs(folder: Path) -> None:
    _fluxcom(folder, "{name}.RS_V006.FP-{fp}.MLM-ALL.METEO-NONE.720_360.monthly.{year}.nc", "1582-10-15")


def rs_meteo(folder: Path) -> None:
    _fluxcom(folder, "{name}.RS_METEO.FP-{fp}.MLM-ALL.METEO-CRUJRA_v1.720_360.monthly.{year}.nc", "1582-10-15")


def metaflux(folder: Path) -> None:
    lat, lon = axes(north_up=False)
    for year in YEARS:
        out = Netcdf(folder / f"METAFLUX_GPP_RECO_monthly_{year}.nc", lat, lon)
        out.times(_months(year, "2000-01-01"), "days since 2000-01-01")
        for name in ("GPP", "RECO"):
            out.field(name, _year(name.lower(), lat, lon, year), None)
            out.field(f"{name}_std", _year(name.lower(), lat, lon, year) * 0.2, None)
        out.close()


def gosif(folder: Path) -> None:
    lat, lon = axes()
    for year in YEARS:
        for month in range(1, 13):
            stored = np.rint(fluxes("gpp", lat, lon, year, month) * days_in(year, month) / 0.01).astype("uint16")
            stored[0, 0], stored[0, 1] = 65535, 65534
            path = folder / f"GOSIF_GPP_{year}.M{month:02d}_Mean.tif"
            shape = {"height": lat.size, "width": lon.size, "count": 1, "dtype": "uint16"}
            with rasterio.open(
                path, "w", driver="GTiff", crs="EPSG:4326", transform=from_origin(-180, 90, SIZE, SIZE), **shape
            ) as out:
                out.write(stored, 1)


def fluxsat(folder: Path) -> None:
    lat, lon = axes(north_up=False)
    for year in YEARS:
        for month in range(1, 13):
            length = days_in(year, month)
            out = Netcdf(folder / f"GPP_FluxSat_daily_v2_{year}{month:02d}.nc4", lat, lon)
            out.times([_since(year, month, day=d) for d in range(1, length + 1)], "days since 1970-01-01")
            values = np.repeat(fluxes("gpp", lat, lon, year, month)[None], length, axis=0)
            values *= np.linspace(0.9, 1.1, length)[:, None, None]  # the mean of the month is that of `fluxes`
            out.field("GPP", values, "gC m-2 d-1", fill=np.float32(-9999))
            out.close()


def cedar(folder: Path) -> None:
    lat, lon = axes()
    for year in YEARS:
        for month in range(1, 13):
            out = Netcdf(folder / f"CEDAR-GPP_v01_ST_CFE-Hybrid_NT_{year}{month:02d}.nc", lat, lon, ("y", "x"))
            out.file.SCALE_FACTOR, out.file.FILL_VALUE = 0.01, -9999
            out.times([_since(year, month)], "days since 1970-01-01")
            stored = np.rint(fluxes("gpp", lat, lon, year, month) / 0.01).astype("i2")
            stored[0, 0] = -9999
            out.field("GPP_mean", stored[None], None, kind="i2")
            out.field("GPP_std", (stored[None] // 10), None, kind="i2")
            out.close()


def vodca(folder: Path) -> None:
    lat, lon = axes(north_up=False)
    out = Netcdf(folder / "VODCA2GPP_v1.nc", lat, lon)
    first, last = np.datetime64("2009-12-27"), np.datetime64("2012-01-05")
    days = np.arange(first, last, 8)
    out.times((days - np.datetime64("1858-11-17")).astype(float), "days since 1858-11-17 00:00:00")
    dates = [day.astype(object) for day in days]
    out.field("GPP", np.stack([fluxes("gpp", lat, lon, 2010, d.month) for d in dates]), "g C m-2 d-1")
    out.close()


def micasa(folder: Path) -> None:
    lat, lon = axes(north_up=False)
    for year in YEARS:
        for month in range(1, 13):
            out = Netcdf(folder / f"MiCASA_v1_flux_x3600_y1800_monthly_{year}{month:02d}.nc4", lat, lon)
            out.times([_since(year, month, day=15)], "days since 1970-01-01")
            for name in ("NEE", "NBE"):
                out.field(name, fluxes(name.lower(), lat, lon, year, month)[None] / 86400e3, "kg m-2 s-1")
            out.close()


def trendy(folder: Path) -> None:
    lat, lon = axes(north_up=False, east=0.0)
    months = np.arange((YEARS[0] - 1700) * 12, (YEARS[-1] + 1 - 1700) * 12) + 0.5
    series = {q: np.concatenate([_year(q, lat, lon, year) for year in YEARS]) / 86400e3 for q in ("gpp", "reco", "nbe")}
    parts = {"gpp": series["gpp"], "ra": series["reco"] * 0.6, "rh": series["reco"] * 0.4, "nbp": -series["nbe"]}
    for name, values in parts.items():
        out = Netcdf(folder / f"JULES_S3_{name}.nc", lat, lon, ("latitude", "longitude"))
        if name == "ra":  # days of a year of 365 days
            days = [(int(m) // 12) * 365 + (int(m) % 12) * 30.4 + 15 for m in months]
            out.times(days, "days since 1700-01-01", calendar="365_day")
        else:
            out.times(months, "months since 1700-01-01", calendar="365_day")
        out.field(name, values, "kg C m-2 s-1", fill=np.float32(-99999))
        out.close()


def carbontracker(folder: Path) -> None:
    lat, lon = axes(north_up=False)
    out = Netcdf(folder / "CT2022.flux1x1-monthly.nc", lat, lon, ("latitude", "longitude"))
    out.times([_since(y, m, "2000-01-01", 15) for y in YEARS for m in range(1, 13)], "days since 2000-01-01 00:00:00 UTC")
    total = np.concatenate([_year("nbe", lat, lon, year) for year in YEARS]) / MOLAR / 86400
    fire = np.full(total.shape, 0.1 / MOLAR / 86400)
    out.field("bio_flux_opt", total - fire, "mol m-2 s-1")
    out.field("fire_flux_imp", fire, "mol m-2 s-1")
    out.field("ocn_flux_opt", fire, "mol m-2 s-1")
    out.close()


def cams(folder: Path) -> None:
    lat, lon = axes()
    for year in YEARS:
        for month in range(1, 13):
            out = Netcdf(folder / f"cams73_v23r1_co2_flux_surface_mm_{year}{month:02d}.nc", lat, lon, ("latitude", "longitude"))
            values = fluxes("nbe", lat, lon, year, month) * days_in(year, month) / 1000
            out.field("flux_apos_bio", values, "kgC m-2 month-1", first=())
            out.field("area", np.ones(values.shape), "m2", first=())
            out.close()


def carboscope(folder: Path) -> None:
    from tamrl.reference.regrid import CellGrid

    lat, lon = axes(north_up=False)
    out = Netcdf(folder / "s10oc_v2022_daily.nc", lat, lon)
    out.file.yrfi_valid, out.file.yrfe_valid = 2010, 2011
    days = np.arange(np.datetime64("2009-06-01"), np.datetime64("2012-03-01"))
    out.times((days - np.datetime64("2000-01-01")).astype(float) * 86400, "seconds since 2000-01-01 00:00:00", name="mtime")
    area = CellGrid(lat, lon).area
    density = np.stack([fluxes("nbe", lat, lon, d.year, d.month) for d in days.astype(object)])
    out.field("co2flux_land", density * area * 365.2425 / 1e15, "PgC/yr", first=("mtime",), kind="f8")
    out.file.createDimension("rt", 3)
    out.field("area", np.stack([area * 0.7, area * 0.3, area]), "m2", first=("rt",), kind="f8")
    out.close()


def gcp(folder: Path) -> None:
    lat, lon = axes(north_up=False)
    out = Netcdf(folder / "GCP2024_inversions_1x1_version1_2_20241021.nc", lat, lon, ("latitude", "longitude"))
    out.times([_since(y, m, "1979-01-01", 15) for y in YEARS for m in range(1, 13)], "days since 1979-01-01")
    out.file.createDimension("ensemble_member", 3)
    mean = np.concatenate([_year("nbe", lat, lon, year) for year in YEARS]) * 365.2425 / 1e15
    members = np.stack([mean * 0.9, mean * 1.1, np.full(mean.shape, np.nan)])  # the third covers other years
    out.field("land_flux_only_fossil_cement_adjusted", members, "PgC/m2/yr", first=("ensemble_member", "time"), kind="f8")
    out.close()


WRITERS: dict[str, Callable[[Path], None]] = {
    "fluxcom_x_base": x_base,
    "fluxcom_rs": rs,
    "fluxcom_rs_meteo": rs_meteo,
    "metaflux": metaflux,
    "gosif_gpp": gosif,
    "fluxsat": fluxsat,
    "cedar_gpp": cedar,
    "vodca2gpp": vodca,
    "micasa": micasa,
    "trendy": trendy,
    "carbontracker": carbontracker,
    "cams_inversion": cams,
    "carboscope": carboscope,
    "gcp_inversions": gcp,
}
"""Writers of all gridded products by their plug-ins."""


def written(folder: Path, plugin: str) -> list[Path]:
    """Write a product into a folder of its own; returns its files."""
    place = folder / plugin
    place.mkdir(parents=True, exist_ok=True)
    WRITERS[plugin](place)
    return sorted(place.iterdir())

"""Climate zones and land cover of pixels, from the mean climate and patchy chance.

Codes are those of the products the pipeline reads: IGBP as in MCD12C1 (0 water, 1-16 as `tamrl.classes.IGBP`), main
Köppen groups 1-5 as `tamrl.classes.KOPPEN`, 0 at sea.
"""

from dataclasses import dataclass

import numpy as np

from tamrl.classes import IGBP

CODE = {name: code for code, name in enumerate(IGBP, start=1)} | {"WAT": 0}

# name, lat, lon, extent north-south and east-west in degrees, share of cropland
FARMLAND = (
    ("Western and Central Europe", 50, 10, 6, 18, 0.65),
    ("Ukraine and Volga", 50, 38, 4, 16, 0.75),
    ("Southern Siberia", 54, 70, 2.5, 14, 0.55),
    ("Corn Belt", 42, -92, 5, 9, 0.80),
    ("Prairies", 51, -106, 3, 9, 0.65),
    ("Central Valley", 37, -120.5, 3, 2, 0.5),
    ("Mississippi", 34, -90, 4, 2.5, 0.55),
    ("Pampas", -34, -61, 5, 5, 0.70),
    ("Southern Brazil", -24, -52, 4, 4, 0.50),
    ("Indus and Ganges", 28, 77, 5, 11, 0.85),
    ("Deccan", 18, 77, 6, 5, 0.65),
    ("North China", 35, 115, 5, 6, 0.80),
    ("Manchuria", 45, 125, 4, 5, 0.60),
    ("Mekong and Menam", 15, 102, 4, 5, 0.55),
    ("Java", -7, 110, 2, 5, 0.45),
    ("Nile", 28, 31.5, 4, 1.2, 0.6),
    ("Nigeria and Sahel", 11.5, 5, 2.5, 13, 0.50),
    ("Ethiopia", 9, 39, 3, 3, 0.35),
    ("South-western Australia", -32, 117.5, 2.5, 2, 0.6),
    ("South-eastern Australia", -34.5, 145, 3, 4, 0.5),
    ("Anatolia", 39, 33, 2, 6, 0.40),
)


@dataclass(frozen=True)
class Bioclimate:
    """Climate that decides on vegetation, each (lat, lon)."""

    coldest: np.ndarray
    """Mean temperature of the coldest month, degrees Celsius."""
    warmest: np.ndarray
    """Mean temperature of the warmest month, degrees Celsius."""
    mean: np.ndarray
    """Mean temperature of the year, degrees Celsius."""
    rain: np.ndarray
    """Rain of the year, mm."""
    summer_rain: np.ndarray
    """Share of rain in the warmer half of the year, 0-1."""
    dry_months: np.ndarray
    """Months with less than 60 mm."""
    aridity: np.ndarray
    """Rain divided by potential evaporation."""


def bioclimate(temperature: np.ndarray, rain: np.ndarray) -> Bioclimate:
    """Summaries of monthly temperature (degrees Celsius) and rain (mm d-1), both (12, lat, lon).

    Potential evaporation is Hamon's, 0.55 (12 h)² of saturated vapour density, taken at 12 h of daylight
    (Hamon 1961, doi 10.1061/JYCEAJ.0000599, in inches).
    """
    warm = temperature > np.median(temperature, axis=0)
    total = rain.sum(0)
    density = 216.7 * 6.108 * np.exp(17.27 * temperature / (temperature + 237.3)) / (temperature + 273.15)
    evaporation = np.where(temperature > -5, 0.165 * density, 0).mean(0)
    return Bioclimate(
        coldest=temperature.min(0),
        warmest=temperature.max(0),
        mean=temperature.mean(0),
        rain=total * (365.25 / 12),
        summer_rain=np.where(warm, rain, 0).sum(0) / np.maximum(total, 1e-6),
        dry_months=(rain < 2.0).sum(0),
        aridity=total / 12 / np.maximum(evaporation, 0.35),
    )


KOPPEN_CLASS = ("", "Af", "BSk", "Cfb", "Dfb", "ET")
"""A class of each main group, as tower metadata name it; the last letters stand for the group's commonest kind."""


def koppen(climate: Bioclimate, land: np.ndarray) -> np.ndarray:
    """Main Köppen-Geiger group, uint8 (lat, lon): 1 tropical to 5 polar, 0 where `land` is false.

    Rules of Peel et al. 2007 (doi 10.5194/hess-11-1633-2007): arid where rain stays below 20 T, plus 280 mm with 70 % of
    it in summer, plus 140 mm with no such season; then by the coldest and the warmest month.
    """
    season = np.where(climate.summer_rain >= 0.7, 280, np.where(climate.summer_rain <= 0.3, 0, 140))
    arid = climate.rain < 20 * climate.mean + season
    rules = [~land, climate.warmest < 10, arid, climate.coldest >= 18, climate.coldest > 0]
    return np.select(rules, [0, 5, 2, 1, 3], default=4).astype("uint8")


def farmland(*, lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    """Share of cropland where the climate allows it, 0-1, at the crossings of `lat` (rows) and `lon` (columns)."""
    share = np.full(np.broadcast_shapes(lat.shape, lon.shape), 0.05)
    for _, centre_lat, centre_lon, high, wide, top in FARMLAND:
        east = (lon - centre_lon + 180) % 360 - 180
        near = np.exp(-((((lat - centre_lat) / high) ** 2 + (east / wide) ** 2) ** 2))
        share = np.maximum(share, top * near)
    return share


def land_cover(climate: Bioclimate, *, land: np.ndarray, farms: np.ndarray, lon: np.ndarray, chance: np.ndarray) -> np.ndarray:
    """IGBP class of each pixel as MCD12C1 code, uint8 (lat, lon).

    Parameters
    ----------
    land, farms : arrays (lat, lon), whether there is land, and the share of cropland
    lon : array, broadcastable, degrees east; larch takes the place of spruce in eastern Siberia
    chance : array (3, lat, lon), standard normal fields that shift warmth, wetness and the choice between classes that fit alike
    """
    warmth, wetness, pick = chance
    warmest, coldest = climate.warmest + 0.8 * warmth, climate.coldest + 1.2 * warmth
    aridity = climate.aridity * np.exp(0.16 * wetness)
    dry_months = climate.dry_months - wetness
    natural = _natural(climate, warmest, coldest, aridity, dry_months, pick, lon)
    wet = (wetness > 1.75) & (aridity > 0.8) & (natural != CODE["SNO"])
    natural = np.where(wet & (warmest > 6), CODE["WET"], natural)
    share = np.clip(farms, 0.01, 0.99)
    threshold = np.log(share / (1 - share)) / 1.70  # about `share` of a standard normal field lies below (logistic approximation)
    farm = (pick + 0.35 * wetness < threshold) & (climate.mean > 0) & (warmest > 13) & (aridity > 0.25)
    farm |= (farms > 0.3) & (pick < -0.4) & (warmest > 20)
    used = np.where(wetness < -0.9, CODE["CVM"], CODE["CRO"])
    town = (np.abs(pick + 0.7) < 0.02 + 0.03 * farms) & (climate.mean > 2)
    cover = np.where(town, CODE["URB"], np.where(farm & (natural != CODE["SNO"]), used, natural))
    lake = (wetness < -2.0 - 0.5 * (coldest > -12)) & (aridity > 0.6)
    return np.where(land & ~lake, cover, CODE["WAT"]).astype("uint8")


def _natural(
    climate: Bioclimate,
    warmest: np.ndarray,
    coldest: np.ndarray,
    aridity: np.ndarray,
    dry_months: np.ndarray,
    pick: np.ndarray,
    lon: np.ndarray,
) -> np.ndarray:
    """Natural vegetation by temperature and moisture, after the biomes of Whittaker (1975)."""
    code = CODE

    def either(low: float, a: str, b: str) -> np.ndarray:
        return np.where(pick < low, code[a], code[b])

    tropical, mild, boreal = coldest > 14, coldest > -3, warmest < 18.5
    larch = (coldest < -26) & (np.broadcast_to(lon, pick.shape) > 85)
    mediterranean = (climate.summer_rain < 0.42) & (climate.mean > 9)
    rules: list[tuple[np.ndarray, np.ndarray | int]] = [
        (warmest < 1.0, code["SNO"]),
        (warmest < 4.0, code["BSV"]),
        (warmest < 10.5, either(-0.2, "GRA", "OSH")),
        (aridity < 0.09, code["BSV"]),
        (aridity < 0.28, either(0.3, "OSH", "GRA")),
        (tropical & (aridity < 0.45), either(-0.3, "OSH", "SAV")),
        (tropical & (aridity < 0.75), either(0.4, "SAV", "WSA")),
        (tropical & (dry_months > 4.5), either(0.2, "WSA", "DBF")),
        (tropical & (dry_months > 3.0), either(-0.6, "DBF", "EBF")),
        (tropical, code["EBF"]),
        (mediterranean & (aridity < 0.6), either(-0.2, "CSH", "WSA")),
        (aridity < 0.55, either(0.8, "GRA", "CSH")),
        (aridity < 0.70, either(0.4, "GRA", "WSA")),
        (larch, either(0.9, "DNF", "WSA")),
        (boreal & (coldest < -2), either(0.7, "ENF", "MF")),
        (boreal, either(0.2, "ENF", "GRA")),
        (coldest > 4.5, either(0.1, "EBF", "MF")),
        (mild, either(0.0, "DBF", "MF")),
    ]
    return np.select([test for test, _ in rules], [np.asarray(value) for _, value in rules], default=either(-0.2, "DBF", "MF"))

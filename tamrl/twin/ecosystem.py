"""Vegetation, soil water and carbon of tiles (one class in one cell), one day after another.

GPP is light-use efficiency times absorbed light (Monteith 1972, doi 10.2307/2401901) reduced by cold, dry air (Running et
al. 2004, doi 10.1641/0006-3568(2004)054[0547:ACSMOG]2.0.CO;2) and dry soil; leaves follow past temperature, soil water and
day length (Jolly et al. 2005, doi 10.1111/j.1365-2486.2005.00930.x); respiration follows recent GPP, temperature and soil
water (Lloyd & Taylor 1994, doi 10.2307/2389824), with pools in balance with the spin-up year, as in semi-analytical
spin-up (Xia et al. 2012, doi 10.5194/gmd-5-1259-2012), but for a hidden disequilibrium. What the driver of one day does
to the fluxes therefore lasts for days (acclimation), weeks (leaves, soil water) and months (substrate). `Equations`
chooses others.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from tamrl.arrays import Floats
from tamrl.classes import IGBP
from tamrl.sections.inputs import Equations
from tamrl.twin import sky

# Light-use efficiency (gC MJ-1), ramps of daily minimum temperature (degrees Celsius) and of VPD (hPa): after MOD17 (Running &
# Zhao, User's Guide MOD17 collection 6), efficiencies moved towards the yearly GPP of real towers of the class. Then largest
# LAI, share of it kept all year, ramp of the temperature that opens leaves, days to open and to drop them, soil water
# capacity (mm), share of GPP that living tissue respires for maintenance.
PARAMETERS = {
    #      lue   cold warm  vpd vpd  lai  kept  open  full  up  down  water  keep
    "ENF": (1.25, -8.0, 8.3, 6.5, 46, 4.2, 0.85, -1.0, 9.0, 25, 40, 150, 0.21),
    "EBF": (1.15, -8.0, 9.1, 8.0, 31, 5.6, 0.82, 6.0, 16.0, 25, 45, 320, 0.25),
    "DNF": (1.09, -8.0, 10.4, 6.5, 23, 3.4, 0.10, 2.0, 10.0, 12, 15, 130, 0.20),
    "DBF": (1.17, -6.0, 9.9, 6.5, 24, 5.2, 0.08, 4.0, 14.0, 12, 20, 200, 0.20),
    "MF": (1.05, -7.0, 9.5, 6.5, 25, 4.8, 0.40, 2.0, 12.0, 15, 25, 180, 0.21),
    "CSH": (1.10, -8.0, 8.6, 6.5, 47, 2.4, 0.55, 2.0, 11.0, 18, 30, 130, 0.19),
    "OSH": (0.84, -8.0, 8.8, 6.5, 48, 1.5, 0.25, 1.0, 9.0, 15, 25, 110, 0.18),
    "WSA": (1.00, -8.0, 11.4, 6.5, 32, 3.4, 0.35, 3.0, 13.0, 15, 30, 200, 0.20),
    "SAV": (1.05, -8.0, 11.4, 6.5, 31, 2.6, 0.20, 4.0, 14.0, 14, 25, 170, 0.19),
    "GRA": (1.20, -8.0, 12.0, 6.5, 53, 2.8, 0.12, 2.0, 11.0, 10, 20, 120, 0.17),
    "WET": (0.95, -8.0, 10.0, 6.5, 40, 3.0, 0.15, 3.0, 13.0, 12, 20, 250, 0.19),
    "CRO": (1.30, -8.0, 12.0, 6.5, 43, 4.6, 0.06, 6.0, 15.0, 14, 12, 160, 0.16),
    "URB": (0.90, -8.0, 12.0, 6.5, 43, 1.4, 0.25, 3.0, 13.0, 12, 20, 100, 0.18),
    "CVM": (1.10, -8.0, 12.0, 6.5, 43, 3.6, 0.20, 4.0, 14.0, 12, 20, 160, 0.18),
    "SNO": (0.00, -8.0, 8.0, 6.5, 40, 0.0, 0.00, 4.0, 14.0, 12, 20, 50, 0.00),
    "BSV": (0.00, -8.0, 8.0, 6.5, 40, 0.0, 0.00, 4.0, 14.0, 12, 20, 50, 0.00),
    "WAT": (0.00, -8.0, 8.0, 6.5, 40, 0.0, 0.00, 4.0, 14.0, 12, 20, 50, 0.00),
}
NAMES = ("lue", "cold", "warm", "vpd_low", "vpd_high", "lai", "kept", "open", "full", "up", "down", "water", "maintenance")

GROWTH = 0.30
"""Share of GPP respired to build tissue."""

BRIGHT = np.float32(18)
"""Ceiling of the light that is used, MJ m-2 d-1."""

LINEAR = np.float32(0.75)
"""Share of light that is used where it does not saturate."""

STANDARD = Equations()
"""Equations of the standard world."""


@dataclass(frozen=True)
class Tiles:
    """Constants of the tiles, each (tile,) float32 unless stated."""

    lat: np.ndarray
    """Degrees north."""
    kind: np.ndarray
    """Position of the class in `tamrl.classes.IGBP`, int."""
    vigour: np.ndarray
    """Hidden trait about 1: multiplies the efficiency, and by its square root the leaves."""
    age: np.ndarray
    """Hidden trait about 0.9: heterotrophic respiration relative to balance; small in young stands."""
    irrigated: np.ndarray
    """Soil kept moist in the warm season, bool."""
    soil: np.ndarray
    """Relative soil water at the start, 0-1."""

    def parameters(self) -> dict[str, np.ndarray]:
        """The table's values of every tile, by name, float32."""
        table = np.array([PARAMETERS[name] for name in IGBP], "float32")[self.kind]
        return dict(zip(NAMES, table.T.copy(), strict=True))


@dataclass
class TileState:
    """The memory of tiles, each (tile,) float32."""

    soil: np.ndarray
    """Relative soil water, 0-1."""
    snow: np.ndarray
    """Water in the snow, mm."""
    ground: np.ndarray
    """Soil temperature, degrees Celsius."""
    warmth: np.ndarray
    """Air temperature of the last weeks, degrees Celsius."""
    acclimation: np.ndarray
    """Air temperature of the last week, degrees Celsius."""
    moisture: np.ndarray
    """Relative soil water of the last weeks, 0-1."""
    lai: np.ndarray
    """Leaf area index."""
    fresh: np.ndarray
    """GPP of the last week, gC m-2 d-1."""
    substrate: np.ndarray
    """GPP of the last two months, gC m-2 d-1."""


@dataclass(frozen=True)
class Air:
    """Weather of a day at the tiles, each (tile,) float32."""

    celsius: np.ndarray
    vpd: np.ndarray
    """hPa."""
    shortwave: np.ndarray
    """W m-2."""
    rain: np.ndarray
    """mm."""


class Ecosystem:
    """Tiles that live through days given in order."""

    def __init__(self, tiles: Tiles, start: Air, equations: Equations = STANDARD):
        self.tiles, self.p, self.equations = tiles, tiles.parameters(), equations
        p = self.p
        p["lai"] = p["lai"] * np.sqrt(tiles.vigour)
        p["open"], p["full"] = (p[n] - np.float32(8) * (tiles.vigour - 1) for n in ("open", "full"))
        p["lue"] = p["lue"] * tiles.vigour
        zero, cold = np.zeros_like(tiles.soil), start.celsius.astype("float32")
        self.state = TileState(
            soil=tiles.soil.copy(), snow=zero.copy(), ground=cold.copy(), warmth=cold.copy(), acclimation=cold.copy(),
            moisture=tiles.soil.copy(), lai=p["lai"] * p["kept"], fresh=zero.copy(), substrate=zero + 1,
        )  # fmt: skip
        self.maintenance, self.decay = zero.copy(), zero.copy()
        self._sums = np.zeros((3, zero.size), "float64")

    def settle(self) -> None:
        """Set the pools so that over the days since the last call respiration would have balanced GPP but for age.

        Growth takes `GROWTH` of GPP, maintenance its share, decay the rest times the tile's `age`.
        """
        gpp, living, dead = self._sums
        share = self.p["maintenance"]
        self.maintenance = _ratio(share * gpp, living)
        self.decay = _ratio((1 - GROWTH - share) * self.tiles.age * gpp, dead)
        self._sums[:] = 0

    def step(self, air: Air, day_of_year: int) -> tuple[np.ndarray, np.ndarray]:
        """Live through a day; returns GPP and RECO, gC m-2 d-1, (tile,)."""
        s, p = self.state, self.p
        gpp = production(s, p, air, self.equations)
        living = maintenance_rate(air.celsius, s.lai, p["lai"])
        dead = decay_rate(s, self.equations)
        self._sums += gpp, living, dead
        s.fresh += (gpp - s.fresh) * np.float32(1 / 5)
        s.substrate += (gpp - s.substrate) * np.float32(1 / 60)
        reco = GROWTH * s.fresh + self.maintenance * living + self.decay * dead
        water(s, p, air, self.tiles.irrigated)
        warmth(s, air)
        leaves(s, p, sky.daylight_hours(self.tiles.lat, day_of_year))
        return gpp, reco


def _ratio(top: Floats, bottom: Floats) -> Floats:
    """Quotient, 0 where nothing was summed."""
    return np.divide(top, bottom, out=np.zeros_like(bottom), where=bottom > 0).astype("float32")


def ramp(values: Floats, low: Floats | np.floating[Any], high: Floats | np.floating[Any]) -> Floats:
    """0 below `low`, 1 above `high`, linear between."""
    return np.clip((values - low) / (high - low), 0, 1)


def absorbed(lai: np.ndarray) -> np.ndarray:
    """Share of light absorbed by leaves of index `lai` (Beer's law; Monsi & Saeki 2005, doi 10.1093/aob/mci052)."""
    return 1 - np.exp(np.float32(-0.5) * lai)


def production(s: TileState, p: dict[str, Floats], air: Air, equations: Equations = STANDARD) -> Floats:
    """GPP, gC m-2 d-1: efficiency x absorbed light, saturating, x ramps of temperature, VPD and soil water.

    The ramp of cold takes the mean of today's and the last week's temperature less 6 K for the daily minimum; above
    30 degrees Celsius heat takes over. Leaves under bright light use less of it.

    Parameters
    ----------
    s, p : memory and parameters of the tiles
    air : weather of the day
    equations : of the world
    """
    light = saturating(np.float32(0.45 * 0.0864) * air.shortwave * absorbed(s.lai), equations)
    cold = ramp(np.float32(0.5) * (air.celsius + s.acclimation) - 6, p["cold"], p["warm"])
    heat = 1 - np.float32(0.7) * ramp(air.celsius, np.float32(30), np.float32(42))
    dry_air = 1 - np.float32(0.9) * ramp(air.vpd, p["vpd_low"], p["vpd_high"])
    dry_soil = ramp(s.soil, np.float32(0.03), np.float32(0.40))
    if equations.stress == "least":
        return np.asarray(np.float32(1.25) * p["lue"] * light * np.minimum.reduce([cold, heat, dry_air, dry_soil]))
    return np.asarray(np.float32(1.25) * p["lue"] * light * cold * heat * dry_air * dry_soil)


def saturating(light: Floats, equations: Equations) -> Floats:
    """Absorbed light that is used, MJ m-2 d-1.

    Hyperbola (Monsi & Saeki 2005, doi 10.1093/aob/mci052), exponential with the same slope and ceiling (Webb et al. 1974,
    doi 10.1007/BF00345747), or the same share of any light.
    """
    if equations.light == "hyperbola":
        return light / (1 + light / BRIGHT)
    if equations.light == "exponential":
        return np.asarray(BRIGHT * (1 - np.exp(-light / BRIGHT)))
    return light * LINEAR


def maintenance_rate(celsius: np.ndarray, lai: np.ndarray, largest: np.ndarray) -> np.ndarray:
    """Relative maintenance respiration: Q10 = 1.6 of air temperature, on leaves and wood.

    Q10 near the 1.4 of whole ecosystems (Mahecha et al. 2010, doi 10.1126/science.1189587).
    """
    return np.float32(1.6) ** ((celsius - 15) / 10) * (np.float32(0.3) * largest + np.float32(0.7) * lai)


def decay_rate(s: TileState, equations: Equations = STANDARD) -> Floats:
    """Relative decay of litter and soil: soil temperature, soil water, recent production.

    Temperature after Lloyd & Taylor 1994 (doi 10.2307/2389824, eq. 11), or with a Q10 of 2.
    """
    temperature = np.maximum(s.ground, -30)
    if equations.decay == "q10":
        warm = np.float32(2) ** ((temperature - 10) / 10)
    else:
        warm = np.exp(np.float32(308.56) * (np.float32(1 / 56.02) - 1 / (temperature + np.float32(46.02))))
    moist = np.float32(0.15) + np.float32(0.85) * ramp(s.soil, np.float32(0.0), np.float32(0.45))
    return np.asarray(warm * moist * (np.float32(0.4) + s.substrate / (s.substrate + 3)))


def water(s: TileState, p: dict[str, Floats], air: Air, irrigated: np.ndarray) -> None:
    """A day of snow (degree-day melt of 3 mm K-1, Hock 2003, doi 10.1016/S0022-1694(03)00257-9) and of the soil's bucket.

    Parameters
    ----------
    s : state of the tiles, changed in place
    p : parameters of the tiles
    air : weather of the day
    irrigated : whether each tile is irrigated
    """
    frozen = ramp(-air.celsius, np.float32(-1.5), np.float32(0.5))
    s.snow += air.rain * frozen
    melt = np.minimum(s.snow, 3 * np.maximum(air.celsius, 0))
    s.snow -= melt
    demand = sky.potential_evaporation(air.celsius + np.float32(sky.KELVIN), air.shortwave)
    supply = ramp(s.soil, np.float32(0.02), np.float32(0.55))
    loss = demand * supply * (np.float32(0.25) + np.float32(0.75) * absorbed(s.lai)) * (s.snow < 5)
    amount = s.soil * p["water"] + air.rain * (1 - frozen) + melt - loss
    s.soil = np.clip(amount / p["water"], 0, 1)
    s.soil = np.where(irrigated & (air.celsius > 5), np.maximum(s.soil, np.float32(0.8)), s.soil)


def warmth(s: TileState, air: Air) -> None:
    """Running means of temperature: 7 and 18 days; soil 12 days, under snow 70."""
    s.acclimation += (air.celsius - s.acclimation) * np.float32(1 / 7)
    s.warmth += (air.celsius - s.warmth) * np.float32(1 / 18)
    s.ground += (air.celsius - s.ground) * np.where(s.snow > 20, np.float32(1 / 70), np.float32(1 / 12))


def leaves(s: TileState, p: dict[str, Floats], hours: Floats) -> None:
    """A day of leaf growth or fall towards the growing season index of Jolly et al. 2005.

    The index is the product of ramps of warmth, day length (10 to 11 h) and, in place of their VPD, soil water of the
    last three weeks.
    """
    s.moisture += (s.soil - s.moisture) * np.float32(1 / 21)
    index = ramp(s.warmth, p["open"], p["full"]) * ramp(hours, np.float32(9.5), np.float32(11))
    index = index * ramp(s.moisture, np.float32(0.06), np.float32(0.42))
    dry = np.float32(0.25) + np.float32(0.75) * ramp(s.moisture, np.float32(0.02), np.float32(0.20))
    target = p["lai"] * (p["kept"] * dry + (1 - p["kept"]) * index)
    s.lai = s.lai + (target - s.lai) / np.where(target > s.lai, p["up"], p["down"])


def greenness(s: TileState, kind: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """EVI and NDVI of tiles under a clear sky: soil and leaves by light extinction, dimmed by snow.

    Exponential relation of index and LAI after Baret & Guyot 1991, doi 10.1016/0034-4257(91)90009-U.
    """
    bright = np.where(kind == IGBP.index("SNO"), np.float32(1.0), s.snow / (s.snow + 8))
    evi = np.float32(0.08) + np.float32(0.58) * (1 - np.exp(np.float32(-0.38) * s.lai))
    ndvi = np.float32(0.12) + np.float32(0.78) * (1 - np.exp(np.float32(-0.75) * s.lai))
    return evi * (1 - np.float32(0.75) * bright), ndvi * (1 - np.float32(0.85) * bright)

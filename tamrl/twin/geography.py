"""Land, mountains and distance from the sea.

Coasts come from the GLOBE elevation model (global-land-mask, doi 10.7289/V52R3PMS); heights are synthetic, rising
along the axes of the large ranges so that the virtual Earth has its Andes where the real one has them.
"""

import numpy as np
from scipy.ndimage import gaussian_filter

from tamrl.arrays import Floats
from tamrl.grid import EARTH_RADIUS, great_circle_km
from tamrl.twin.noise import static_field, unit_vectors

# name, start (lat, lon), end (lat, lon), half width km, height m above its surroundings
RANGES = (
    ("Coast Mountains", (60, -142), (49, -121), 150, 1500),
    ("Alaska Range", (61, -156), (63, -144), 150, 1500),
    ("Brooks Range", (68, -160), (69, -142), 130, 1000),
    ("Cascades and Sierra Nevada", (49, -121), (36, -118), 110, 1500),
    ("Canadian Rockies", (60, -128), (49, -115), 180, 1600),
    ("American Rockies", (48, -113), (34, -106), 380, 2000),
    ("Sierra Madre", (31, -108), (18, -99), 230, 1700),
    ("Appalachians", (34, -84), (45, -71), 120, 600),
    ("Central America", (16, -92), (9, -83), 90, 1000),
    ("Northern Andes", (10, -72), (-4, -79), 170, 2300),
    ("Central Andes", (-5, -78), (-14, -73), 200, 3400),
    ("Altiplano", (-14, -72), (-24, -67), 260, 3800),
    ("Southern Andes", (-25, -69), (-50, -73), 130, 1900),
    ("Brazilian Highlands", (-12, -46), (-25, -50), 350, 700),
    ("Guiana Highlands", (5, -65), (4, -58), 200, 700),
    ("Atlas", (31, -9), (36, 6), 140, 1400),
    ("Ahaggar and Tibesti", (23, 6), (20, 18), 160, 1000),
    ("Ethiopian Highlands", (14, 38), (6, 38), 230, 1900),
    ("East African Plateau", (3, 33), (-13, 33), 330, 1200),
    ("Angolan Plateau", (-10, 17), (-17, 16), 300, 900),
    ("South African Plateau", (-20, 28), (-30, 27), 400, 1200),
    ("Madagascar", (-15, 48), (-23, 46), 110, 900),
    ("Pyrenees and Cantabria", (43, -5), (42.5, 2), 80, 1100),
    ("Iberian Plateau", (41, -5), (38, -3), 180, 650),
    ("Alps", (44.5, 7), (47, 14), 100, 1700),
    ("Carpathians", (49, 20), (45.5, 25), 90, 800),
    ("Dinarides", (45, 15), (40, 21), 100, 900),
    ("Scandes", (60, 8), (68, 17), 130, 900),
    ("Urals", (67, 63), (52, 58), 90, 600),
    ("Anatolia", (38, 31), (39, 42), 220, 1400),
    ("Caucasus", (43.5, 40), (41.5, 47), 90, 1800),
    ("Iranian Plateau", (36, 47), (30, 58), 330, 1400),
    ("Hindu Kush and Pamir", (35, 67), (39, 73), 210, 2800),
    ("Tibet", (33, 79), (33, 96), 430, 4600),
    ("Himalaya", (33, 76), (28, 95), 160, 3600),
    ("Yunnan and Sichuan", (31, 101), (25, 101), 240, 2200),
    ("Tien Shan", (41, 72), (43, 88), 170, 2300),
    ("Altai and Sayan", (47, 90), (52, 99), 250, 1600),
    ("Mongolian Plateau", (46, 97), (45, 113), 420, 1100),
    ("Transbaikalia", (51, 105), (56, 122), 320, 800),
    ("Verkhoyansk and Cherskiy", (68, 130), (64, 148), 270, 900),
    ("Kolyma and Kamchatka", (63, 158), (54, 159), 160, 800),
    ("Deccan", (20, 76), (12, 77), 240, 550),
    ("Arabian Escarpment", (27, 37), (15, 45), 200, 1200),
    ("Annam Range", (20, 103), (13, 108), 130, 800),
    ("Borneo and Sumatra", (5, 117), (0, 113), 110, 700),
    ("Barisan", (4, 97), (-4, 103), 70, 800),
    ("New Guinea", (-3.5, 136), (-8, 147), 90, 2000),
    ("Japan", (36, 137), (43, 142), 80, 800),
    ("Great Dividing Range", (-18, 145), (-37, 148), 130, 650),
    ("New Zealand", (-45, 168), (-40, 176), 90, 900),
    ("Greenland", (77, -40), (65, -45), 480, 2800),
    ("East Antarctica", (-82, 20), (-78, 110), 1400, 3300),
    ("West Antarctica", (-80, -120), (-77, -75), 600, 1700),
)

# name, lat, lon, radius km
LAKES = (
    ("Superior", 47.7, -87.8, 120),
    ("Michigan", 43.6, -87.0, 95),
    ("Huron", 44.8, -82.4, 100),
    ("Erie and Ontario", 42.4, -80.8, 70),
    ("Victoria", -1.0, 33.0, 130),
    ("Baikal", 53.5, 108.0, 70),
    ("Great Bear", 66.0, -121.0, 75),
    ("Great Slave", 61.7, -114.0, 75),
    ("Winnipeg", 52.5, -97.7, 70),
    ("Ladoga", 60.8, 31.5, 60),
    ("Northern Caspian", 44.9, 50.3, 160),
    ("Middle Caspian", 42.0, 50.4, 150),
    ("Southern Caspian", 38.9, 51.3, 190),
    ("Aral", 45.0, 60.0, 110),
)
"""The land mask takes these for land."""


def elevation(*, lat: Floats, lon: Floats, seed: int) -> Floats:
    """Height of the surface, m, float32, at points (degrees, broadcast); where sea is, it has no meaning."""
    points = unit_vectors(lat=lat, lon=lon).astype("float32")
    rough = static_field(seed, "relief", lat=lat, lon=lon, scale_km=250, count=128)
    height = 180 + 120 * static_field(seed, "plains", lat=lat, lon=lon, scale_km=900)
    for _, start, end, width, top in RANGES:
        distance = _distance_km(points, start, end)
        height = height + top * np.exp(-((distance / width) ** 2)) * (1 + 0.12 * rough)
    return np.asarray(np.clip(height + 40 * rough, 1.0, 6500.0).astype("float32"))


def lakes(*, lat: Floats, lon: Floats) -> np.ndarray:
    """Whether points (degrees, broadcast) lie in one of the large lakes, bool."""
    places = [(np.asarray(a, float), np.asarray(b, float), radius) for _, a, b, radius in LAKES]
    inside = [great_circle_km(lat1=lat, lon1=lon, lat2=a, lon2=b) < radius for a, b, radius in places]
    return np.asarray(np.logical_or.reduce(inside))


def continentality(land: Floats) -> Floats:
    """How far inland the prevailing wind has come, 0 (sea) to 1, from the share of land (lat, lon) at nodes from pole to pole.

    An exponential mean of the land upwind, with 1200 km to fade: from the west poleward of 35 degrees, from the
    east equatorward of 25 degrees, mixed between; then smoothed over some 300 km.
    """
    lat = np.linspace(90, -90, land.shape[0])
    step = np.pi * EARTH_RADIUS / 1000 * 2 / land.shape[1] * np.cos(np.deg2rad(lat))
    keep = np.exp(-np.maximum(step, 1e-3) / 1200)
    west, east = _upwind(land, keep), _upwind(land[:, ::-1], keep)[:, ::-1]
    share = np.clip((np.abs(lat) - 25) / 10, 0, 1)[:, None]
    sigma = 3 / (180 / (land.shape[0] - 1))
    return np.asarray(gaussian_filter(share * west + (1 - share) * east, sigma, mode=("nearest", "wrap")).astype("float32"))


def _upwind(land: np.ndarray, keep: np.ndarray) -> np.ndarray:
    """Exponential mean along the second axis, twice round the globe so that the seam is forgotten."""
    out, value = np.empty_like(land), land.mean(1)
    for column in [*range(land.shape[1]), *range(land.shape[1])]:
        value = keep * value + (1 - keep) * land[:, column]
        out[:, column] = value
    return out


def _distance_km(points: Floats, start: tuple[float, float], end: tuple[float, float]) -> Floats:
    """Distance of `points` (..., 3) from the straight line between two places, through the Earth."""
    a, b = (unit_vectors(lat=np.asarray(p[0], float), lon=np.asarray(p[1], float)).astype("float32") for p in (start, end))
    along = np.clip((points - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)
    return np.asarray(np.linalg.norm(points - a - along[..., None] * (b - a), axis=-1) * np.float32(EARTH_RADIUS / 1000))

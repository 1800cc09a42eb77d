"""Towers as points for maps (GeoJSON, RFC 7946)."""

import json

import pandas as pd


def point_features(places: pd.DataFrame) -> str:
    """Return one point per tower (longitude, latitude, elevation where known) with all other columns as properties."""
    features = []
    for row in places.to_dict("records"):
        properties = {name: _plain(value) for name, value in row.items() if name not in ("lat", "lon")}
        where = [row["lon"], row["lat"], *([row["elevation"]] if pd.notna(row.get("elevation")) else [])]
        point = {"type": "Point", "coordinates": [round(float(v), 6) for v in where]}
        features.append({"type": "Feature", "id": row["site"], "geometry": point, "properties": properties})
    return json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def _plain(value: object) -> object:
    """Return a value that JSON can hold: None for missing, dates as text."""
    if pd.isna(value):
        return None
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d}"
    return value.item() if hasattr(value, "item") else value

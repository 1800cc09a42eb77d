"""The interface for Python: open a run, predict with its models, read towers and drivers (docs/python.md)."""

EXPORTS = {
    "Place": "tamrl.api.from_table",
    "Run": "tamrl.api.run",
    "open_run": "tamrl.api.run",
    "FluxPredictor": "tamrl.api.prediction",
    "load_model": "tamrl.api.prediction",
    "polygon_totals": "tamrl.api.totals",
    "read_drivers": "tamrl.api.tables",
    "read_places": "tamrl.api.extraction",
    "read_towers": "tamrl.api.tables",
    "series_at": "tamrl.api.extraction",
}
"""Names of the package `tamrl` that are imported when they are used, and their modules."""

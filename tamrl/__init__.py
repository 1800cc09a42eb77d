"""tamrl: flux towers, ERA5 and MODIS to global maps of GPP, RECO and NEE with tested uncertainty.

`open_run`, `load_model`, `read_towers` and `read_drivers` of `tamrl.api` are imported when they are used (docs/python.md).
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tamrl.api.extraction import read_places as read_places
    from tamrl.api.extraction import series_at as series_at
    from tamrl.api.from_table import Place as Place
    from tamrl.api.prediction import FluxPredictor as FluxPredictor
    from tamrl.api.prediction import load_model as load_model
    from tamrl.api.run import Run as Run
    from tamrl.api.run import open_run as open_run
    from tamrl.api.tables import read_drivers as read_drivers
    from tamrl.api.tables import read_towers as read_towers
    from tamrl.api.totals import polygon_totals as polygon_totals

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import a name of the interface for Python at its first use; libraries of data and models are slow to import."""
    exports = {} if name.startswith("_") else import_module("tamrl.api").EXPORTS
    if name not in exports:
        raise AttributeError(f"module 'tamrl' has no attribute {name!r}")
    return getattr(import_module(exports[name]), name)

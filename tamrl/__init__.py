"""tamrl: flux towers, ERA5 and MODIS to global maps of GPP, RECO and NEE with tested uncertainty."""

__version__ = "0.1.0"

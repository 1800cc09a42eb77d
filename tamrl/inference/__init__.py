"""Inference: trained members predict towers and the globe, tile by tile."""

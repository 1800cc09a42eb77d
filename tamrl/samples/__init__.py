"""Samples: which towers are held out together, drivers beside fluxes, scaling, and tensors for the models."""

"""Uncertainty: spread of the members, calibrated intervals, and where the towers stand for the globe."""

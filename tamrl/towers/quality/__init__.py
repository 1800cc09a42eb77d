"""Tests of tower records: single values, whole towers, and units that cannot be."""

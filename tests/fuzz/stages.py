"""Fuzz targets."""

from tests.fuzz.base import Target

TARGETS: list[Target] = []

"""Means of the maps over calendar periods and over years."""

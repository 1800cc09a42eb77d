"""Polygons and points that users name: files of several kinds, and the share of each cell that lies in outlines.

| module | what it does |
|---|---|
| `shares` | outlines, their checks, and the share of each cell |
| `reading` | reads a file of any kind |
| `geojson`, `shapefiles` | one kind of file each |
| `countries` | outlines of countries by name or code |
| `kinds` | which files are read, for those that need no library |
| `features` | what a file holds: points and polygons with their names |
"""

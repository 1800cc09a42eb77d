"""Comparison with fluxes that others have made: gridded products, inversions, and tables of towers.

| module | what it does |
|---|---|
| `products/` | plug-ins: one file declares how one product is published |
| `layouts` | what a plug-in declares: variables, units, signs, time convention, fill values, registration of the grid |
| `reader` | reads any declared product: monthly fields of gC m-2 d-1, lazily |
| `names`, `axes`, `units` | names of files, coordinates and times, units and stored numbers |
| `months` | days and composites become calendar months |
| `checks` | refuses what contradicts the declaration: units, gaps in time, signs, sizes |
| `regrid` | conservative regridding between any two regular grids |
| `maps` | monthly maps of a run |
| `pairs`, `regions`, `scores`, `totals` | run and product on one grid, and the tables that compare them |
| `stage` | stages of the rules |

Quantities are kept apart by type: `nee` is RECO - GPP; `nbe` is what the atmosphere sees, with fire and lateral fluxes.
"""

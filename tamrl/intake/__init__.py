"""Read foreign files. Each module holds one rule, and all readers (towers, drivers, tables, downloads) use it.

`border` turns any exception into an error that names the file. `completeness` compares a file with the size that it declares,
`zarrs` does so for the chunks of a Zarr store. `stored` decodes stored numbers, `arrays` applies it to lazy fields. `times`
decodes time axes, `dates` decodes dates written in digits. `legends` identifies the legend of a class map. `zips` distinguishes
the faults of archives. `isolated` parses NetCDF and HDF in a helper process. `rasters` opens GeoTIFFs, `text` reads CSV,
`document` reads YAML and JSON. `machine` checks the computer before a run.
"""

"""The entrance for foreign files: one module for each rule, called by all readers (towers, drivers, tables, downloads).

`border` turns any exception into an error that names the file. `completeness` compares a file with the size that it declares,
`zarrs` a chunk of a Zarr store. `stored` decodes stored numbers, `arrays` applies that to lazy fields. `times` decodes time
axes, `dates` digits as dates. `legends` identifies the legend of a class map. `zips` tells the faults of archives from each
other. `isolated` parses NetCDF and HDF in a helper process, `rasters` opens GeoTIFFs, `text` reads CSV, `document` YAML and
JSON. `machine` checks the computer before a run.
"""

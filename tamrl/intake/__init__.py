"""Where files from elsewhere enter: failures get a name, short files are refused, stored numbers and digits are decoded.

Every reader of foreign files (towers, drivers, tables, downloads) goes through these modules, so that each rule stands once:
`border` turns any exception into a named error, `whole` compares a file with the size that it declares (`zarrs` a chunk of a Zarr
copy), `stored` decodes stored numbers, `arrays` does so for lazy fields of datasets, `times` gives the time axis, `legends` tells
which legend the codes of a class map follow, `zips` tells faults of archives apart, `apart` parses NetCDF and HDF
in a process of its own, `rasters` opens GeoTIFFs, `text` reads CSV, `dates` reads digits as
dates, `document` reads YAML, `machine` looks at what the project stands on.
"""

"""Build the program of the atlas."""

from tamrl.atlas.bundle import build_site
from tamrl.log import to_file

to_file(snakemake.log[0])
build_site(sources=snakemake.input.sources, site=snakemake.output.site)

"""Say where the globe is unlike the towers."""

from tamrl.log import to_file
from tamrl.uncertainty.stage import assess_applicability

to_file(snakemake.log[0])
assess_applicability(
    cube=snakemake.input.cube,
    samples=snakemake.input.samples,
    splits=snakemake.input.splits,
    output=snakemake.output.map,
    features=snakemake.params.features,
    min_land_fraction=snakemake.params.min_land_fraction,
    virtual=snakemake.params.virtual,
)

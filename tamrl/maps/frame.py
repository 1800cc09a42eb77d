"""The parts of a map file besides its fields: axes, land, quality and global attributes."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import xarray as xr

from tamrl import georeference, simulated, variables
from tamrl.maps import acdd, cf, rounding
from tamrl.maps.land import Land
from tamrl.maps.origin import Origin, history, time_of_writing
from tamrl.sections.results import MapFormat

CONVENTIONS = "CF-1.11, ACDD-1.3"
REFERENCES = (
    "TAM-RL: https://doi.org/10.48550/arXiv.2603.09974; intervals: https://doi.org/10.48550/arXiv.1905.03222; "
    "area of applicability: https://doi.org/10.1111/2041-210X.13650"
)
LICENSE = "CC-BY-4.0; the inputs keep their own terms (see the report of the run)"


def static_fields(land: Land, axis: cf.FileAxis, quality: Mapping[str, xr.DataArray] | None = None) -> xr.Dataset:
    """Return axes, bounds, `crs`, `land_fraction`, `cell_area` and the fields (lat, lon) of `quality`.

    `quality` is such as `maps/applicability.nc`, opened with `mask_and_scale=False`, so that flags stay flags.
    """
    ds = georeference.horizontal(lat=land.lat, lon=land.lon).merge(axis.dataset())
    mapping = {"grid_mapping": georeference.MAPPING}
    fraction = variables.attributes("land_fraction") | mapping | {"cell_methods": "area: mean"}
    if land.region:
        fraction["comment"] = f"0 in cells outside of the mapped region ({land.region})"
    area = {"standard_name": "cell_area", "long_name": "area of the whole cell", "units": "m2"} | mapping
    ds["land_fraction"] = ("lat", "lon"), land.fraction.astype("float32"), fraction
    ds["cell_area"] = ("lat", "lon"), land.area.astype(float), area
    for name in ("land_fraction", "cell_area"):
        ds[name].attrs["coverage_content_type"] = acdd.content_type(name)
    ds = georeference.without_fill(ds)
    ds["land_fraction"].encoding["_FillValue"] = cf.FILL
    for name, field in (quality or {}).items():
        attributes = {key: value for key, value in field.attrs.items() if key != "_FillValue"}
        ds[name] = ("lat", "lon"), field.values, attributes | {"coverage_content_type": acdd.content_type(name)}
        ds[name].encoding["_FillValue"] = field.attrs.get("_FillValue")
    return ds


@dataclass(frozen=True)
class Content:
    """Texts about a file."""

    product: str
    """Name of the product or the period."""
    title: str
    fluxes: str
    """Long names of its fluxes."""
    label: str
    """Year, span of years or `climatology`."""
    summary: str
    """One sentence about the product."""


@dataclass(frozen=True)
class Frame:
    """Content that the files of all fluxes share."""

    land: Land
    axis: cf.FileAxis
    format: MapFormat
    origin: Origin
    members: int
    """Members of the ensemble."""
    virtual: bool
    """Whether the inputs were simulated."""

    def flux_attributes(self, flux: str, *, skill: str | None = None) -> dict[str, str]:
        """Return the attributes of every field of a flux; `skill` is the sentence of the evaluation about it."""
        attributes = cf.flux_attributes(flux, units=self.format.units, resolution=self.axis.resolution, note=self.land.note)
        attributes |= {"skill": skill} if skill else {}
        return attributes | {"comment": attributes["comment"] + rounding.stated(self.format.significant_bits)}

    def dataset(self, content: Content, quality: Mapping[str, xr.DataArray] | None = None) -> xr.Dataset:
        """Return `static_fields` with the global attributes of a file."""
        return static_fields(self.land, self.axis, quality).assign_attrs(self._global_attributes(content))

    def _global_attributes(self, content: Content) -> dict[str, object]:
        now = time_of_writing()
        discovery = acdd.discovery_attributes(
            lat=self.land.lat,
            lon=self.land.lon,
            bounds=self.axis.bounds,
            resolution=self.axis.resolution,
            name=f"{content.product} {content.title} {self.origin.predictions_sha256}",
            created=now,
        )
        towers = "simulated towers" if self.virtual else "eddy-covariance towers"
        attributes: dict[str, object] = {
            "Conventions": CONVENTIONS,
            "title": content.title,
            "summary": f"{content.fluxes}, {content.label}. {content.summary}",
            "source": f"{self.members} members of the model {self.origin.model!r} of tamrl, trained on {towers}",
            "references": REFERENCES,
            "license": LICENSE,
            "history": history(now, content.product),
        }
        attributes |= {"mapped_region": self.land.region} if self.land.region else {}
        attributes |= discovery | self.format.attribution | asdict(self.origin)
        return simulated.label_attributes(attributes, self.virtual)

"""Section of the configuration: comparison with what others have made."""

from typing import Annotated

from pydantic import Field, field_validator, model_validator

from tamrl import registry
from tamrl.errors import near
from tamrl.options import Strict
from tamrl.sections.types import Name


class ComparedFiles(Strict):
    """Files of a product of others, which lie where the user has them."""

    files: Annotated[tuple[str, ...], Field(min_length=1)]
    """Paths, or patterns such as `{data}/xbase/*_050_monthly.nc`."""
    product: str | None = None
    """File of `tamrl/reference/products`; by default the name of this entry. So several editions can be compared."""

    @field_validator("files", mode="before")
    @classmethod
    def _one(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @field_validator("product")
    @classmethod
    def _known(cls, value: str | None) -> str | None:
        return None if value is None else known_product(value)


def known_product(name: str) -> str:
    """Return the name of a plug-in for a product of others; raises `ValueError` with near misses."""
    if name not in (known := registry.names(registry.COMPARED)):
        raise ValueError(f"no product named {name!r}; {near(name, known)}")
    return name


class Comparison(Strict):
    """What the maps of the run are compared with. Nothing, by default."""

    products: dict[Name, ComparedFiles] = Field(default_factory=dict)
    """Products by name: `{fluxcom_x_base: {files: ...}}`."""

    @model_validator(mode="after")
    def _plugins(self) -> "Comparison":
        for name, entry in self.products.items():
            if entry.product is None:
                known_product(name)
        return self

    def plugin(self, name: str) -> str:
        """The plug-in that reads a product."""
        return self.products[name].product or name

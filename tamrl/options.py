"""The strict base of every configuration section and of every plug-in's options."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, field_validator

from tamrl.web.addresses import holds_login

Alignment = Literal["none", "coral", "mmd"]
"""Penalties on hidden states that differ between towers, see `tamrl.training.alignment`."""


class Strict(BaseModel):
    """Frozen; unknown keys, values of the wrong type and numbers that are not finite are refused; defaults are checked too.

    Every number has a least and a greatest value: what is far beyond use would fill the machine or never end.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)

    @field_validator("*")
    @classmethod
    def _no_login(cls, value: object) -> object:
        """Refuse an address with a login: the configuration is copied into records, logs and archives."""
        if any(isinstance(part, str) and holds_login(part) for part in (value if isinstance(value, list | tuple) else [value])):
            raise ValueError("the address holds a login: take it out and put it into ~/.netrc, which is read for https")
        return value

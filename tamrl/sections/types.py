"""Types that several sections share."""

from typing import Annotated

from pydantic import Field

from tamrl.options import Strict

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
Year = Annotated[int, Field(ge=1850, le=2200)]
Share = Annotated[float, Field(ge=0, le=1)]


class WithPlugins(Strict):
    """A section with a subsection for each of its plug-ins."""

    def plugin_options(self, name: str) -> Strict:
        """Options of a plug-in."""
        options: Strict = getattr(self, name)
        return options

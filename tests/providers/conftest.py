"""The writers of the providers' formats, which the tests of the drivers have too."""

from tests.drivers.conftest import world, write  # noqa: F401

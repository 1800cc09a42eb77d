"""Publishers of static maps on this machine: a file is redirected to a bucket of another server, parts of it may be asked for.

At times the publisher is out, breaks off, asks who is there (202 and nothing, as shops of files do to programs), or has put
another file at the address.
"""

import http.server
import io
import zipfile
from contextlib import AbstractContextManager

import numpy as np

from tests.drivers.test_static import delivered
from tests.providers.tap import Tap, running_with_bucket
from tests.server import send_range

ROWS = 36
"""Rows of the maps of classes; elevation has three times as many."""
GROUPS = {"A": (1, 3), "B": (4, 7), "C": (8, 16), "D": (17, 28), "E": (29, 30)}
LEGEND = "Legend linking the numeric values in the maps to the classes.\n\n" + "".join(
    f"    {code}:  {group}xx  A climate                [0 0 {code}]\n"
    for group, (a, b) in GROUPS.items()
    for code in range(a, b + 1)
)
MEMBER = "1991_2020/koppen_geiger_0p00833333.tif"


class Publisher(http.server.ThreadingHTTPServer):
    """Files by number below /files/, each redirected to the server `bucket`.

    `faults` are what the next requests meet; `parts` are the bytes that each asked for.
    """

    daemon_threads = True

    def __init__(self, bucket: str = ""):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url, self.bucket = f"http://127.0.0.1:{self.server_address[1]}", bucket
        self.files: dict[str, bytes] = {}
        self.faults: list[str] = []
        self.seen: list[str] = []
        self.parts: list[str | None] = []
        self.tap = Tap()


class Handler(http.server.BaseHTTPRequestHandler):
    server: Publisher

    def do_GET(self) -> None:
        server, name = self.server, self.path.rsplit("/", 1)[-1].partition("?")[0]
        server.seen.append(self.path)
        server.parts.append(self.headers.get("Range"))
        fault = server.faults.pop(0) if server.faults else None
        if fault and fault.isdigit():
            self.send_response(int(fault))
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif server.bucket:
            self.send_response(302)
            self.send_header("Location", f"{server.bucket}/bucket/{name}?X-Amz-Signature=1")
            self.end_headers()
        elif server.tap.admit(name, len(server.files[name])):
            send_range(self, server.files[name], fault)

    def log_message(self, *args: object) -> None:
        pass


def running_publisher() -> AbstractContextManager[tuple[Publisher, Publisher]]:
    """The server, and the one of the bucket."""
    return running_with_bucket(Publisher)


def land(rows: int = ROWS) -> np.ndarray:
    """Land on a third of the globe (rows, 2 rows)."""
    shape = np.zeros((rows, 2 * rows), bool)
    shape[:, : 2 * rows // 3] = True
    return shape


def climates() -> np.ndarray:
    """Classes 1 to 30 by latitude on land, 0 sea."""
    north = np.linspace(30, 1, ROWS // 2).round()
    return np.where(land(), np.concatenate([north, north[::-1]])[:, None], 0).astype("uint8")


def heights(rows: int = 3 * ROWS) -> np.ndarray:
    """Elevation in m: land of 300 m with a mountain, a coast of 30 m depth, and the floor of the sea."""
    values = np.where(land(rows), 300.0, -4000.0).astype("float32")
    values[:, 2 * rows // 3 : 2 * rows // 3 + 6] = -30.0
    values[0, 0] = 8600.0
    return values


def archive(tif: bytes, legend: str = LEGEND) -> bytes:
    """The archive of the map of climates."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(MEMBER, tif)
        file.writestr("1901_1930/koppen_geiger_0p00833333.tif", b"another")
        file.writestr("legend.txt", legend)
    return buffer.getvalue()


def land_cover(path) -> bytes:
    """A file of MCD12C1: grassland, an ice cap and a desert on land."""
    codes = np.where(land(), 10, 0).astype("uint8")
    codes[0][land()[0]], codes[ROWS // 2][land()[0]] = 15, 16
    delivered(path, codes)
    return path.read_bytes()

"""The Earth Data Hub on this machine: a folder of Zarr 3 behind a basic login, with a quota of requests.

What is not there answers 404, as chunks of sea do. At times the server is out (502) or breaks off.
"""

import base64
import contextlib
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.providers.tap import Tap

KEY = "edh_pat_of_a_user"


class DataHub(http.server.ThreadingHTTPServer):
    """Files of `root` below /era5/; `seen` holds the keys that were asked for, `sent` the bytes of each that went out."""

    daemon_threads = True

    def __init__(self, root: Path):
        super().__init__(("127.0.0.1", 0), Handler)
        self.root, self.seen, self.lock, self.tap = root, [], threading.Lock(), Tap()
        self.sent: dict[str, int] = {}
        self.out = self.cut = 0
        """Requests of chunks to come that answer 502, and that break off."""
        self.last: int | None = None
        """Chunks to come before the server is out for good."""
        self.quota: int | None = None
        """Requests to come before the user has none left: 429."""
        self.lost: set[str] = set()
        """Chunks that answer 404."""
        self.url = f"http://127.0.0.1:{self.server_address[1]}/era5"

    def chunks(self) -> list[str]:
        """Chunks of fields that were asked for."""
        return [key for key in self.seen if key.partition("/c/")[2].count("/") == 2]


class Handler(http.server.BaseHTTPRequestHandler):
    server: DataHub

    def do_GET(self) -> None:
        server, key = self.server, self.path.removeprefix("/era5/")
        login = base64.b64encode(f"edh:{KEY}".encode()).decode()
        if self.headers.get("Authorization") != f"Basic {login}":
            return self.answer(key, b"", 401)
        with server.lock:
            server.seen.append(key)
            is_chunk = key in server.chunks()
            out = is_chunk and (server.out > 0 or (server.last is not None and len(server.chunks()) > server.last))
            server.out -= bool(out and server.out > 0)
            cut = is_chunk and not out and server.cut > 0
            server.cut -= cut
            over = server.quota is not None and len(server.seen) > server.quota
        path = server.root / key
        if out or over:
            return self.answer(key, b"", 429 if over else 502)
        if key in server.lost or not path.is_file():
            return self.answer(key, b"", 404)
        body = path.read_bytes()
        tag = f'"{len(body)}-{path.stat().st_mtime_ns}"'
        asked = self.headers.get("Range") if self.headers.get("If-Range", tag) == tag else None
        if is_chunk and not server.tap.admit(key, len(body)):
            return None
        start = int(asked.split("=")[1].split("-")[0]) if asked else 0
        more = {"ETag": tag} | ({"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"} if asked else {})
        return self.answer(key, body[start:], 206 if asked else 200, end=len(body) // 2 if cut else None, headers=more)

    def answer(self, key: str, body: bytes, status: int, end: int | None = None, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | (headers or {})).items():
            self.send_header(name, value)
        with contextlib.suppress(OSError):  # the client has gone
            self.end_headers()
            self.wfile.write(body[:end])
            with self.server.lock:
                self.server.sent[key] = self.server.sent.get(key, 0) + len(body[:end])

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def running_hub(root: Path) -> Iterator[DataHub]:
    """The hub on a port of its own."""
    with DataHub(root) as hub:
        threading.Thread(target=hub.serve_forever, daemon=True).start()
        yield hub
        hub.shutdown()

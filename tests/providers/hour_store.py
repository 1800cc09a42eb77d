"""The public store of ERA5's hours on this machine: a folder of Zarr served as a bucket serves it.

What is not there answers 404. At times the bucket is out (503), breaks off, or lacks the chunks of a day.
"""

import contextlib
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.providers.tap import Tap


class HourBucket(http.server.ThreadingHTTPServer):
    """Files of `root` below /store/; `seen` holds the keys that were asked for."""

    daemon_threads = True

    def __init__(self, root: Path):
        super().__init__(("127.0.0.1", 0), Handler)
        self.root, self.seen, self.lock, self.tap = root, [], threading.Lock(), Tap()
        self.lost: set[str] = set()
        """Chunks that answer 404."""
        self.out = self.cut = 0
        """Requests of chunks to come that answer 503, and that break off."""
        self.last: int | None = None
        """Chunks to come before the bucket is out for good."""
        self.url = f"http://127.0.0.1:{self.server_address[1]}/store"

    def chunks(self) -> list[str]:
        """Chunks of fields that were asked for."""
        return [key for key in self.seen if key.rsplit("/", 1)[-1][:1].isdigit() and key.count(".") == 2]


class Handler(http.server.BaseHTTPRequestHandler):
    server: HourBucket

    def do_GET(self) -> None:
        server, key = self.server, self.path.removeprefix("/store/")
        with server.lock:
            server.seen.append(key)
            is_chunk = key.count(".") == 2 and not key.startswith(".")
            out = is_chunk and (server.out > 0 or (server.last is not None and len(server.chunks()) > server.last))
            server.out -= bool(out and server.out > 0)
            cut = is_chunk and not out and server.cut > 0
            server.cut -= cut
        path = server.root / key
        if out:
            return self.answer(b"", 503)
        if key in server.lost or not path.is_file():
            return self.answer(b"<Error><Code>NoSuchKey</Code></Error>", 404)
        body = path.read_bytes()
        if is_chunk and not server.tap.admit(key, len(body)):
            return None
        return self.answer(body, 200, end=len(body) // 2 if cut else None)

    def answer(self, body: bytes, status: int, end: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        with contextlib.suppress(OSError):  # the client has gone
            self.end_headers()
            self.wfile.write(body[:end])

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def running_bucket(root: Path) -> Iterator[HourBucket]:
    """The bucket on a port of its own."""
    with HourBucket(root) as bucket:
        threading.Thread(target=bucket.serve_forever, daemon=True).start()
        yield bucket
        bucket.shutdown()

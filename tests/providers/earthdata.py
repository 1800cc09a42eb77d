"""NASA's search, login and archive on this machine: a file is redirected to a bucket, which must see no token."""

import base64
import contextlib
import hashlib
import http.server
import json
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import parse_qsl, urlparse

from tests.providers.tap import Tap, running_with_bucket

NAME, PASSWORD, TOKEN = "me", "a-password", "a-token-of-sixty-days"


class Earthdata(http.server.ThreadingHTTPServer):
    """The search below /search, the login below /api, the archive below /protected, the bucket (another server) below /bucket."""

    daemon_threads = True

    def __init__(self, bucket: str = ""):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url, self.bucket = f"http://127.0.0.1:{self.server_address[1]}", bucket
        self.files: dict[str, bytes] = {}
        self.tap = Tap()
        self.granules: list[dict[str, Any]] = []
        self.seen: list[tuple[str, str, dict[str, str]]] = []
        self.out: dict[str, int] = {}
        """How many of the next requests below a path (`search`, `api`, `protected`, `bucket`) find the server out: 503."""
        self.approved = True
        """Whether the user has approved the archive's application."""

    def add(self, name: str, content: bytes, *, named: bool = True) -> None:
        """Add a file to archive and search; without `named` the search does not say its size and checksum."""
        self.files[name] = content
        url = f"{self.url}/protected/{name}"
        links = [
            {"Type": "GET DATA", "URL": url},
            {"Type": "GET DATA VIA DIRECT ACCESS", "URL": f"s3://lp-prod-protected/{name}"},
        ]
        digest = {"Algorithm": "MD5", "Value": hashlib.md5(content).hexdigest()}
        part = {"Name": name, "SizeInBytes": len(content), "Checksum": digest} if named else {"Name": "Not provided"}
        self.granules.append(
            {"GranuleUR": name, "RelatedUrls": links, "DataGranule": {"ArchiveAndDistributionInformation": [part]}}
        )

    def requests(self, kind: str) -> list[dict[str, str]]:
        """Headers of the requests below a path."""
        return [headers for _, path, headers in self.seen if path.startswith(f"/{kind}")]


class Handler(http.server.BaseHTTPRequestHandler):
    server: Earthdata

    def do_GET(self) -> None:
        self.play("GET")

    def do_POST(self) -> None:
        self.play("POST")

    def play(self, method: str) -> None:
        server, parts = self.server, urlparse(self.path)
        kind, name = parts.path.split("/")[1], parts.path.rsplit("/", 1)[-1]
        server.seen.append((method, self.path, dict(self.headers)))
        if server.out.get(kind, 0) > 0:
            server.out[kind] -= 1
            return self.answer(503)
        if kind == "search":
            query = dict(parse_qsl(parts.query))
            first = (int(query["page_num"]) - 1) * int(query["page_size"])
            items = server.granules[first : first + int(query["page_size"])]
            found = {"hits": len(server.granules), "took": 5, "items": [{"meta": {}, "umm": umm} for umm in items]}
            return self.answer(200, json.dumps(found).encode())
        if kind == "api":
            basic = base64.b64encode(f"{NAME}:{PASSWORD}".encode()).decode()
            if method != "POST" or name != "find_or_create_token" or self.headers.get("Authorization") != f"Basic {basic}":
                return self.answer(401, b'{"error": "invalid_credentials"}')
            return self.answer(200, json.dumps({"access_token": TOKEN, "token_type": "Bearer"}).encode())
        if kind == "protected":
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                return self.answer(401)
            if not server.approved:
                return self.answer(403, b"EULA acceptance required")
            return self.answer(303, Location=f"{server.bucket or server.url}/bucket/{name}?A-userid={NAME}&X-Amz-Signature=1")
        if server.tap.admit(name, len(server.files[name])):
            self.answer(200, server.files[name])

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for key, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(key, value)
        with contextlib.suppress(OSError):  # the client has gone
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


def running_earthdata() -> AbstractContextManager[tuple[Earthdata, Earthdata]]:
    """The server, and the one of the bucket."""
    return running_with_bucket(Earthdata)

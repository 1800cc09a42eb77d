"""A server on this machine that plays the providers: it breaks off, is busy, lies, and checks the login."""

import hashlib
import http.server
import json
import os
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager

CONTENT = os.urandom(300_000)
KEY, TOKEN = "a-key", "a-token"


def send_range(handler, body, fault=None, *, ranges=True):
    """Answer with `body` from the byte asked for on; with the fault `drop` the connection ends after two fifths of it."""
    tag = f'"{hashlib.md5(body).hexdigest()}"'
    same = handler.headers.get("If-Range", tag) == tag
    wanted = handler.headers.get("Range") if ranges and same else None
    start = int(wanted.split("=")[1].split("-")[0]) if wanted else 0
    handler.send_response(206 if wanted else 200)
    if wanted:
        handler.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
    handler.send_header("ETag", tag)
    handler.send_header("Content-Length", str(len(body) - start))
    handler.end_headers()
    handler.wfile.write(body[start : int(0.4 * len(body)) if fault == "drop" else None])


class Server(http.server.ThreadingHTTPServer):
    """Files of `files` below /file/, the folder `root` below /store/, jobs below /retrieve/, the search below /search/.

    `faults` maps a path to what happens to its next requests: a status, `drop`, `other` bytes; `seen` holds the requests.
    """

    daemon_threads = True

    def __init__(self):
        self.files, self.faults, self.seen, self.jobs = {}, {}, [], {}
        self.root, self.ranges, self.after, self.granules, self.slow = None, True, "0", [], 0
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"

    def do_GET(self):
        path = urllib.parse.urlparse(self.path).path
        self.server.seen.append((path, dict(self.headers)))
        todo = self.server.faults.get(path, [])
        fault = todo.pop(0) if todo else None
        if fault and fault.isdigit():
            self.send_response(int(fault))
            self.send_header("Retry-After", self.server.after)
            self.end_headers()
            return
        part = path.split("/")[1]
        {"file": self.file, "store": self.store, "retrieve": self.job, "search": self.search}.get(part, self.nothing)(path, fault)

    def nothing(self, path, fault):
        self.send_error(404)

    def file(self, path, fault):
        name = path.removeprefix("/file/")
        if name.endswith(".hdf") and self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self.send_error(401)
        self.body(self.server.files[name] if fault != "other" else b"x" * len(self.server.files[name]), fault)

    def store(self, path, fault):
        found = self.server.root / path.removeprefix("/store/")
        self.body(found.read_bytes(), fault) if found.is_file() else self.send_error(404)

    def body(self, body, fault):
        send_range(self, body, fault, ranges=self.server.ranges)

    def answer(self, content, status=200):
        text = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["inputs"]
        if self.headers.get("PRIVATE-TOKEN") != KEY:
            return self.answer({"title": "unauthorized", "detail": "operation not allowed"}, 401)
        number = str(len(self.server.jobs))
        self.server.jobs[number] = {"dataset": self.path.split("/")[4], "request": request, "asked": 0}
        link = {"rel": "monitor", "href": f"{self.server.url}/retrieve/v1/jobs/{number}"}
        self.answer({"jobID": number, "status": "accepted", "links": [link]}, 201)

    def job(self, path, fault):
        parts = path.split("/")
        if parts[3] == "processes":
            links = [{"rel": "execute", "href": f"{self.server.url}{path}/execution"}]
            return self.answer({"id": parts[4], "links": links})
        job = self.server.jobs[parts[4]]
        if parts[-1] == "results":
            request = job["request"]
            body = CONTENT[: 1000 + int(request["month"][0])]
            name = f"{job['dataset']}-{request['year']}-{request['month'][0]}.nc"
            self.server.files.setdefault(name, body)
            asset = {"href": f"{self.server.url}/file/{name}", "type": "application/netcdf", "file:size": len(body)}
            return self.answer({"asset": {"value": asset | {"file:checksum": hashlib.md5(body).hexdigest()}}})
        job["asked"] += 1
        links = [{"rel": "results", "href": f"{self.server.url}{path}/results"}]
        self.answer({"jobID": parts[4], "status": "successful" if job["asked"] > self.server.slow else "running", "links": links})

    def search(self, path, fault):
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlparse(self.path).query))
        size, page = 2, int(query["page_num"])
        items = self.server.granules[(page - 1) * size : page * size]
        self.answer({"hits": len(self.server.granules), "items": [{"umm": umm} for umm in items]})

    def log_message(self, *args):
        pass


@contextmanager
def running() -> Iterator[Server]:
    """The server on a port of its own, holding `CONTENT` as a.nc."""
    with Server() as found:
        found.files["a.nc"] = CONTENT
        threading.Thread(target=found.serve_forever, daemon=True).start()
        yield found
        found.shutdown()

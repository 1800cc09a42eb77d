"""A Climate Data Store on this machine, with the answers that the real one gives, also when it is busy or out.

An order becomes a job that is accepted, running, then successful, failed or rejected. The results of a failed or rejected job
answer 400. Files lie at an object store under another path: public, with links that expire, and with a checksum that is the MD5
of the MD5s of the parts in which the store uploaded them, without its leading zeros.
"""

import contextlib
import hashlib
import http.server
import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlparse

from tests.providers.tap import Tap

KEY = "0a1b2c3d-key"
LIMITED = "Number queued requests for this dataset is temporarily limited. Please configure your scripts accordingly."
LICENCE = "required licences not accepted; please accept the following licence(s) to proceed: [('cc-by', 1)]"


def checksum_of_parts(body: bytes, part: int) -> str:
    """The number before the dash of an ETag, written as the store writes it: hexadecimal without leading zeros."""
    parts = [hashlib.md5(body[k : k + part]).digest() for k in range(0, len(body), part)]
    digest = hashlib.md5(b"".join(parts)).hexdigest() if len(parts) > 1 else hashlib.md5(body).hexdigest()
    return f"{int(digest, 16):x}"


@dataclass
class Job:
    """An order at the store."""

    id: str
    dataset: str
    request: dict[str, Any]
    states: list[str]
    """What the next looks see; the last one stays."""
    fault: str
    """Detail of the results of a failed or rejected job."""
    created: str
    looks: int = 0
    results: int = 0

    def look(self) -> str:
        """The state that a look sees."""
        self.looks += 1
        return self.states.pop(0) if len(self.states) > 1 else self.states[0]


@dataclass
class Behaviour:
    """What the store does; tests change it."""

    states: list[str] = field(default_factory=lambda: ["successful"])
    """States of the jobs of the orders to come."""
    faults: list[tuple[str, str]] = field(default_factory=list)
    """Last state and detail of the next jobs: (`failed` or `rejected`, text)."""
    queue: int | None = None
    """Jobs of a user that may be unfinished at once; more are accepted and then rejected."""
    refusals: list[tuple[int, str]] = field(default_factory=list)
    """Statuses and details of the answers to the next orders."""
    silent: int = 0
    """Orders to come that the store takes, but answers with 504."""
    pages: dict[str, int] = field(default_factory=dict)
    """How many of the next requests of a kind get a page of a store under maintenance, with status 200."""
    out: dict[str, int] = field(default_factory=dict)
    """How many of the next requests of a kind (`order`, `look`, `results`, `list`, `object`) find the store out: 503."""
    denied: int = 0
    """Requests to come that the object store denies: 403."""
    uses: int | None = None
    """Requests for which a link to a file is good, before it has expired: 403."""
    part: int = 50 << 20
    """Bytes of a part of an upload."""
    drip: tuple[int, float] | None = None
    """Bytes and seconds between two pieces of a file."""
    cut: int = 0
    """Files to come that break off in the middle."""
    lie: int = 0
    """By how many bytes `file:size` is wrong."""


class ClimateStore(http.server.ThreadingHTTPServer):
    """The store below /api, its objects below /object-store/. `orders` holds what was ordered, `seen` every request."""

    daemon_threads = True

    def __init__(self, content: Callable[[dict[str, Any]], bytes]):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.does, self.key = content, Behaviour(), KEY
        self.jobs: dict[str, Job] = {}
        self.objects: dict[str, bytes] = {}
        self.links: dict[str, int] = {}
        self.seen: list[tuple[str, str, dict[str, str]]] = []
        self.lock, self.tap = threading.Lock(), Tap()
        self.url = f"http://127.0.0.1:{self.server_address[1]}/api"

    @property
    def orders(self) -> list[dict[str, Any]]:
        """Requests of all jobs."""
        return [job.request for job in self.jobs.values()]

    def count(self, kind: str) -> int:
        """How many requests of a kind came (see `Behaviour.out`)."""
        return sum(kind_of(method, path) == kind for method, path, _ in self.seen)

    def add(self, dataset: str, request: dict[str, Any]) -> Job:
        """A new job."""
        unfinished = sum(job.states[0] in ("accepted", "running") for job in self.jobs.values())
        state, fault = self.does.faults.pop(0) if self.does.faults else ("", "")
        if self.does.queue is not None and unfinished >= self.does.queue:
            state, fault = "rejected", LIMITED
        states = ["accepted", state] if state else [*self.does.states]
        job = Job(str(uuid.uuid4()), dataset, request, states, fault, datetime.now(UTC).isoformat())
        self.jobs[job.id] = job
        return job


def kind_of(method: str, path: str) -> str:
    """Kind of a request: `order`, `look`, `results`, `list`, `object` or another."""
    parts = urlparse(path).path.strip("/").split("/")
    if parts[0] == "object-store":
        return "object"
    if method == "POST":
        return "order"
    if parts[:4] == ["api", "retrieve", "v1", "jobs"]:
        return {4: "list", 5: "look", 6: "results"}[len(parts)]
    return "other"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"
    server: ClimateStore

    def do_GET(self) -> None:
        self.play("GET")

    def do_POST(self) -> None:
        self.play("POST")

    def do_DELETE(self) -> None:
        self.play("DELETE")

    def play(self, method: str) -> None:
        kind, does = kind_of(method, self.path), self.server.does
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with self.server.lock:
            self.server.seen.append((method, self.path, dict(self.headers)))
            if does.out.get(kind, 0) > 0:
                does.out[kind] -= 1
                return self.answer({"title": "out"}, 503)
            if does.pages.get(kind, 0) > 0:
                does.pages[kind] -= 1
                return self.send(b"<html>We will be back soon</html>", 200)
        parts = urlparse(self.path).path.strip("/").split("/")
        if kind == "object":
            return self.object(parts[-1])
        if kind == "other":
            links = [{"rel": "execute", "href": f"{self.server.url}/retrieve/v1/processes/{parts[-1]}/execution"}]
            return self.answer({"id": parts[-1], "links": links} if parts[-2] == "processes" else {"messages": []})
        if self.headers.get("PRIVATE-TOKEN") != self.server.key:
            return self.answer({"title": "unauthorized", "detail": "operation not allowed"}, 401)
        with self.server.lock:
            if kind == "order":
                return self.order(parts[-2], json.loads(body)["inputs"])
            if kind == "list":
                return self.listed()
            job = self.server.jobs.get(parts[4])
            if job is None:
                return self.answer({"title": "job not found", "detail": f"job {parts[4]} not found"}, 404)
            if method == "DELETE":
                job.states = ["dismissed"]
                return self.answer({"jobID": job.id, "status": "dismissed"})
            return self.look(job) if kind == "look" else self.results(job)

    def order(self, dataset: str, request: dict[str, Any]) -> None:
        does = self.server.does
        if does.refusals:
            status, detail = does.refusals.pop(0)
            return self.answer({"title": detail.split(";")[0], "status": status, "detail": detail}, status)
        job = self.server.add(dataset, request)
        if does.silent:
            does.silent -= 1
            return self.answer({"title": "gateway timeout"}, 504)
        link = {"rel": "monitor", "href": f"{self.server.url}/retrieve/v1/jobs/{job.id}"}
        return self.answer({"jobID": job.id, "processID": dataset, "status": "accepted", "links": [link]}, 201)

    def listed(self) -> None:
        query = parse_qs(urlparse(self.path).query)
        jobs = sorted(self.server.jobs.values(), key=lambda job: job.created, reverse=query.get("sortby") == ["-created"])
        rows = [
            {"jobID": job.id, "processID": job.dataset, "status": job.states[0], "created": job.created}
            for job in jobs[: int(query.get("limit", ["10"])[0])]
        ]
        self.answer({"jobs": rows, "links": []})

    def look(self, job: Job) -> None:
        here = f"{self.server.url}/retrieve/v1/jobs/{job.id}"
        links = [{"rel": "self", "href": here}, {"rel": "results", "href": f"{here}/results"}]
        metadata = {"request": {"ids": job.request, "labels": {}}, "log": []}
        answer = {"jobID": job.id, "processID": job.dataset, "status": job.look(), "created": job.created}
        self.answer(answer | {"metadata": metadata, "links": links})

    def results(self, job: Job) -> None:
        job.results += 1
        if job.states[0] in ("failed", "rejected"):
            return self.answer({"type": "job results failed", "title": "The job has failed", "detail": job.fault}, 400)
        if job.states[0] != "successful":
            return self.answer({"title": "job results not ready", "detail": f"status of {job.id} is {job.states[0]}"}, 404)
        name, does = f"{job.id}.nc", self.server.does
        body = self.server.objects.setdefault(name, self.server.content(job.request))
        signature = uuid.uuid4().hex
        self.server.links[signature] = does.uses if does.uses is not None else 1 << 30
        href = (
            f"{self.server.url.removesuffix('/api')}/object-store/cci2-prod-cache/2026-05-01/{name}?X-Amz-Signature={signature}"
        )
        value = {"type": "application/netcdf", "href": href, "file:size": len(body) + does.lie}
        value |= {"file:checksum": checksum_of_parts(body, does.part), "file:local_path": f"s3://cci2-prod-cache/{name}"}
        return self.answer({"asset": {"value": value}})

    def object(self, name: str) -> None:
        does, signature = self.server.does, parse_qs(urlparse(self.path).query).get("X-Amz-Signature", [""])[0]
        with self.server.lock:
            self.server.links[signature] = self.server.links.get(signature, 0) - 1
            denied = does.denied > 0
            does.denied -= denied
            cut = does.cut > 0
            does.cut -= cut
        if denied or self.server.links[signature] < 0:
            return self.send(b"<Error><Code>AccessDenied</Code></Error>", 403)
        body = self.server.objects.get(name)
        if body is None:
            return self.send(b"<Error><Code>NoSuchKey</Code></Error>", 404)
        tag = f'"{checksum_of_parts(body, does.part)}-{-(-len(body) // does.part)}"'
        wanted = self.headers.get("Range") if self.headers.get("If-Range", tag) == tag else None
        start = int(wanted.split("=")[1].split("-")[0]) if wanted else 0
        more = {"ETag": tag, "Content-Length": str(len(body) - start)}
        more |= {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"} if wanted else {}
        if not self.server.tap.admit(name, len(body) - start):
            return None
        return self.send(body[start : len(body) // 2 if cut else None], 206 if wanted else 200, more)

    def answer(self, content: object, status: int = 200) -> None:
        self.send(json.dumps(content).encode(), status, {"Content-Type": "application/json"})

    def send(self, body: bytes, status: int, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | (headers or {})).items():
            self.send_header(name, value)
        with contextlib.suppress(OSError):  # the client has gone
            self.end_headers()
            size, pause = (kind_of("GET", self.path) == "object" and self.server.does.drip) or (max(len(body), 1), 0.0)
            for k in range(0, len(body), size):
                self.wfile.write(body[k : k + size])
                self.wfile.flush()
                time.sleep(pause)

    def log_message(self, *args: object) -> None:
        pass


def noise(request: dict[str, Any]) -> bytes:
    """Some thousand bytes that differ from request to request, and are always the same of one."""
    seed = json.dumps(request, sort_keys=True).encode()
    return b"".join(hashlib.sha256(seed + bytes([k])).digest() for k in range(200))


@contextmanager
def running_store(content: Callable[[dict[str, Any]], bytes] = noise) -> Iterator[ClimateStore]:
    """The store on a port of its own; `content` makes the file of a request."""
    with ClimateStore(content) as store:
        threading.Thread(target=store.serve_forever, daemon=True).start()
        yield store
        store.shutdown()

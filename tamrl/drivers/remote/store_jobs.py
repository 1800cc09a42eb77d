"""Orders as jobs of the Climate Data Store, through its official client: made once, taken up again after a stop, and awaited.

The store answers HTTP 400 for two things. An order that it refuses (`POST .../execution`) is wrong for good. The results of a job
that failed, or that it rejected as too many are in its queue, can be had by another order later, unless the text says otherwise.
While the store is out (no connection, 429, 5xx), the job goes on there: it is asked again, and nothing is ordered twice.
"""

import json
import logging
import re
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import requests
from ecmwf.datastores import Client, Remote, Results
from ecmwf.datastores.processing import ProcessingFailedError

from tamrl import files
from tamrl.drivers.remote.store_login import HOW, StoreLogin
from tamrl.errors import DownloadError, OutageError
from tamrl.web.addresses import redacted
from tamrl.web.download import BUSY
from tamrl.web.session import Session

_log = logging.getLogger(__name__)

TIMEOUT = (20.0, 60.0)
NEWEST = 50
"""Jobs of the user that are looked through for an order whose answer was lost."""

_FINAL = re.compile(r"invalid|not valid|too large|licen[cs]e", re.I)
_LIMIT = re.compile(r"temporarily limited|queued requests|too many|quota", re.I)
_ID = re.compile(r"[A-Za-z0-9-]{1,64}")
_AnswerT = TypeVar("_AnswerT")


@dataclass(frozen=True)
class Patience:
    """How long the store is waited for.

    Parameters
    ----------
    outage : seconds for which the store may be out, or take no orders, without a break
    order : seconds for which a job of the workflow awaits an order; on busy days the queue takes more than one day
    pause, longest : first and longest pause before something is tried again, in seconds
    look : longest time between two looks at an order, in seconds
    line : time between two lines of the log about an order that is awaited, in seconds
    attempts : how many orders of one file may fail at the store, and how often its object store may deny the file of one
    """

    outage: float = 12 * 3600.0
    order: float = 7 * 86400.0
    pause: float = 60.0
    longest: float = 900.0
    look: float = 120.0
    line: float = 600.0
    attempts: int = 5

    def pauses(self) -> Iterator[float]:
        """Yield pauses that double, until they add up to `outage`."""
        pause, waited = self.pause, 0.0
        while waited < self.outage:
            yield pause
            waited, pause = waited + pause, min(2 * pause, self.longest)


@dataclass(frozen=True)
class Order:
    """One file."""

    dataset: str
    request: dict[str, Any]
    file: str


class FailedOrder(Exception):
    """The store made nothing of an order; `is_final` if another would fail too, `is_limit` if too many were in its queue."""

    @property
    def is_final(self) -> bool:
        """Whether the order itself is wrong."""
        return bool(_FINAL.search(str(self))) and not self.is_limit

    @property
    def is_limit(self) -> bool:
        """Whether the store takes no more orders for now."""
        return bool(_LIMIT.search(str(self)))


@dataclass(frozen=True)
class OrderNote:
    """What a record holds: the order, when it was sent (seconds since 1970), and its id once the store has answered."""

    store: str
    dataset: str
    request: dict[str, Any]
    sent: float
    id: str | None = None


@dataclass(frozen=True)
class OrderRecord:
    """The order of a file, on the disk from before it is sent until the file is here: no stop makes a second order."""

    target: Path

    @property
    def _path(self) -> Path:
        return self.target.with_name(f".{self.target.name}.order")

    def read(self, order: Order, store: str) -> OrderNote | None:
        """Return the note of this order; None if there is none, or one of another order."""
        try:
            note = OrderNote(**json.loads(self._path.read_text(encoding="utf-8")))
            usable = note.id is None or _ID.fullmatch(note.id)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            _log.warning("%s cannot be read (%s): %s is ordered anew", self._path, error, order.file)
            return None
        same = (note.store, note.dataset, note.request) == (store, order.dataset, order.request)
        return note if usable and same else None

    def write(self, note: OrderNote) -> None:
        """Write the note, whole or not at all."""
        files.replace_text(self._path, json.dumps(asdict(note)))

    def forget(self) -> None:
        """Remove the note."""
        self._path.unlink(missing_ok=True)


class StoreJobs:
    """The jobs of a user at the store."""

    def __init__(self, login: StoreLogin, patience: Patience) -> None:
        self.url, self.patience = login.url, patience
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # messages of the day that cannot be read are no failure
            session = Session(login.key.hosts, near=login.key.hosts)
            self.client = Client(
                url=login.url, key=login.key.value, progress=False, maximum_tries=1, timeout=TIMEOUT, session=session
            )

    def place(self, order: Order, target: Path) -> "PlacedOrder":
        """Take up the order of a file that was made before, or make it.

        Raise `OutageError` if the store does not answer for long, `DownloadError` if it refuses the key or the order.
        """
        record = OrderRecord(target)
        note = record.read(order, self.url)
        if note and note.id and (remote := self._remote(note.id, order)):
            placed = PlacedOrder(self, order, record, remote, note.sent)
            _log.info("%s: taken up again, ordered %s ago as %s", order.file, placed.age, note.id)
            return placed
        remote = self.ask(order.file, lambda: self._order(order, record))
        note = OrderNote(self.url, order.dataset, order.request, time.time(), remote.request_id)
        record.write(note)
        _log.info("%s: ordered as %s", order.file, note.id)
        return PlacedOrder(self, order, record, remote, note.sent)

    def _order(self, order: Order, record: OrderRecord) -> Remote:
        """Send an order, unless one whose answer was lost is found at the store."""
        if record.read(order, self.url) and (lost := self._lost(order)):
            return lost
        record.write(OrderNote(self.url, order.dataset, order.request, time.time()))
        try:
            return self.client.submit(order.dataset, order.request)
        except requests.HTTPError as error:
            if is_outage(error):
                raise
            record.forget()
            todo = "look at the request on the web site"
            raise refused_key(error, order) or DownloadError(
                f"{order.file} cannot be ordered", where=f"{order.dataset} {order.request}", found=error, todo=todo
            ) from error

    def _remote(self, number: str, order: Order) -> Remote | None:
        """The job of an id; None if the store has none."""
        try:
            return self.ask(order.file, lambda: self.client.get_remote(number))
        except requests.HTTPError as error:
            if refusal := refused_key(error, order):
                raise refusal from error
            _log.warning("%s: the store no longer has the order %s (%s)", order.file, number, error)
            return None

    def _lost(self, order: Order) -> Remote | None:
        """The newest job at the store with the same request that may give its file; None if none is known."""
        try:
            for row in self.client.get_jobs(limit=NEWEST, sortby="-created").json["jobs"]:
                if row["processID"] != order.dataset or row["status"] not in ("accepted", "running", "successful"):
                    continue
                remote = self.client.get_remote(row["jobID"])
                if _comparable(remote.request) == _comparable(order.request):
                    _log.info("%s: the order is at the store already, as %s", order.file, remote.request_id)
                    return remote
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            _log.warning("%s: the jobs at the store cannot be compared with the order (%r)", order.file, error)
        except requests.HTTPError as error:
            if is_outage(error):
                raise
            _log.warning("%s: the store does not list its jobs (%s)", order.file, error)
        return None

    def ask(self, what: str, call: Callable[[], _AnswerT]) -> _AnswerT:
        """Return the answer to a request, which is made again while the store is out.

        Raise `OutageError` if it is out for longer than `Patience.outage`, or answers `Patience.attempts` times with what
        cannot be read; other errors of `call` as they are.
        """
        pauses, unread = self.patience.pauses(), 0
        while True:
            try:
                return call()
            except requests.RequestException as error:
                if not is_outage(error):
                    raise
                unread += isinstance(error, requests.exceptions.JSONDecodeError)
                pause = next(pauses, None)
                if pause is None or unread == self.patience.attempts or isinstance(error, requests.exceptions.SSLError):
                    todo = "check the network and run again: what is ordered goes on at the store and is taken up again"
                    raise OutageError("the Climate Data Store does not answer", where=what, found=error, todo=todo) from error
                _log.warning("%s: the store does not answer (%s), asked again in %.0f s", what, redacted(str(error)), pause)
                time.sleep(pause)


@dataclass(frozen=True)
class PlacedOrder:
    """An order at the store."""

    jobs: StoreJobs
    order: Order
    record: OrderRecord
    remote: Remote
    sent: float
    """When it was sent, in seconds since 1970."""

    @property
    def age(self) -> str:
        """Time since it was sent, for the log."""
        minutes = int(max(0.0, time.time() - self.sent) / 60)
        return f"{minutes // 60} h {minutes % 60:02d} min"

    def results(self) -> Results:
        """Await the order and return its results, with a new link to the file.

        Raise `FailedOrder` if the store makes nothing of it; `OutageError` if it takes longer than `Patience.order`, or the store
        does not answer for long; `DownloadError` if the key is refused.
        """
        patience, state, last = self.jobs.patience, "", 0.0
        until, pause = time.monotonic() + patience.order, min(1.0, patience.look)
        while True:
            before, state = state, str(self._ask(lambda: self.remote.json)["status"])
            if state in ("successful", "failed", "rejected"):
                return self._ask(self.remote.get_results)  # which answers 400 for the last two
            if state not in ("accepted", "running"):
                raise FailedOrder(f"the store calls the order {state!r}")
            now = time.monotonic()
            if state != before or now >= last + patience.line:
                _log.info("%s: %s at the store, ordered %s ago (%s)", self.order.file, state, self.age, self.remote.request_id)
                last = now
            if now > until:
                todo = "run again later: the order goes on at the store, which then has its file at once"
                waited = f"{state}, ordered {self.age} ago"
                raise OutageError("an order is not finished", where=self.remote.url, found=waited, todo=todo)
            time.sleep(pause)
            pause = min(1.5 * pause, patience.look)

    def _ask(self, call: Callable[[], _AnswerT]) -> _AnswerT:
        try:
            return self.jobs.ask(self.order.file, call)
        except requests.HTTPError as error:
            if refusal := refused_key(error, self.order):
                raise refusal from error
            raise FailedOrder(error) from error
        except ProcessingFailedError as error:
            raise FailedOrder(error) from error


def is_outage(error: requests.RequestException) -> bool:
    """Whether the network or the store fails for now; a page in place of an answer counts, as of a store under maintenance."""
    status = getattr(error.response, "status_code", None)
    broken = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)
    return isinstance(error, (*broken, requests.exceptions.JSONDecodeError)) or status in BUSY


def refused_key(error: requests.HTTPError, order: Order) -> DownloadError | None:
    """The error of a key that the store refuses, or of a licence that is not accepted; None if it is neither."""
    if error.response.status_code not in (401, 403):
        return None
    if re.search("licen[cs]e", str(error), re.I):
        page = f"https://cds.climate.copernicus.eu/datasets/{order.dataset}"
        asked, todo = "the licence of the data set is not accepted", f"log in, accept it once below the download form of {page}"
        return DownloadError(asked, where=order.dataset, found=error, todo=todo)
    return DownloadError("the Climate Data Store refuses the key", where=order.dataset, found=error, todo=HOW)


def _comparable(request: object) -> object:
    """A request whose values are compared as sorted texts: the store may write a single value as a list."""
    if not isinstance(request, dict):
        raise TypeError(f"{request!r:.100} is no request")
    texts = {name: value if isinstance(value, list) else [value] for name, value in request.items()}
    return {name: sorted(map(str, values)) for name, values in texts.items()}

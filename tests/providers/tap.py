"""What the doubles send, counted: each holds back from some object on, so that a test can kill its client there."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

S = TypeVar("S", bound=Any)
"""A kind of server that takes the address of another, has an `url` and `files`."""


class Tap:
    """Counts the bytes of every object; after `hold` objects it sends none until `open` is called.

    A client that is killed while `holding` is set has all earlier objects, and no byte of the next.
    """

    def __init__(self, hold: int | None = None):
        self.hold, self.objects, self.sent = hold, 0, Counter[str]()
        self.holding, self.opened, self.lock = threading.Event(), threading.Event(), threading.Lock()

    def admit(self, key: str, size: int) -> bool:
        """Whether an object of so many bytes is sent now; waits where it is held back, and then sends nothing."""
        with self.lock:
            if self.hold is None or self.objects < self.hold:
                self.objects += 1
                self.sent[key] += size
                return True
        self.holding.set()
        self.opened.wait(120)
        return False

    def open(self) -> None:
        """Send everything from now on."""
        self.hold = None
        self.opened.set()


@contextmanager
def running_with_bucket(kind: Callable[..., S]) -> Iterator[tuple[S, S]]:
    """A server, and the one of the bucket to which it sends its callers for files."""
    with kind() as bucket, kind(bucket.url) as server:
        bucket.files = server.files
        for each in (bucket, server):
            threading.Thread(target=each.serve_forever, daemon=True).start()
        yield server, bucket
        for each in (bucket, server):
            each.shutdown()

"""What the doubles send, counted: each holds back from some object on, so that a test can kill its client there."""

import threading
from collections import Counter


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

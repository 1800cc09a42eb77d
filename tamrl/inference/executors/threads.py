"""Tiles over the threads of this process."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from typing import TypeVar

from tamrl import log
from tamrl.grid import Tile

T = TypeVar("T")


class ThreadExecutor:
    """Runs tiles in `threads` threads of this process; see `Executor`."""

    in_process = True

    def __init__(self, threads: int) -> None:
        self._threads = threads

    def map(self, work: Callable[[Tile], T], tiles: Sequence[Tile]) -> dict[str, T]:
        """Results of `work` by the names of the tiles; after an error no further tile begins."""
        if self._threads == 1:
            return {tile.name: work(tile) for tile in log.progress(tiles, "tiles")}
        with ThreadPoolExecutor(self._threads) as pool:
            try:
                return collect_tiles(tiles, [pool.submit(work, tile) for tile in tiles])
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise


def collect_tiles(tiles: Sequence[Tile], futures: Sequence[Future[T]]) -> dict[str, T]:
    """Wait for the results of tiles, one future each, and report progress; the first error is raised as it comes."""
    for future in log.progress(as_completed(futures), "tiles", total=len(futures)):
        future.result()
    return {tile.name: future.result() for tile, future in zip(tiles, futures, strict=True)}

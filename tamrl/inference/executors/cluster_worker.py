"""A Dask worker that listens only on the address by which it reaches the scheduler.

`cluster` has it started on each node. The command of Dask listens on every network of the node, as does its web server, which
asks for no key. Here that server stays on the node and has no pages.
"""

import sys
from collections.abc import Sequence

import dask
from distributed.cli.dask_worker import main
from distributed.comm.addressing import get_address_host
from distributed.utils import get_ip


def run_worker(arguments: Sequence[str]) -> None:
    """Run `dask worker` with `arguments`, the last of which is the address of the scheduler."""
    address = get_ip(get_address_host(arguments[-1]))
    with dask.config.set({"distributed.worker.http.routes": []}):
        main([*("--host", address, "--no-dashboard", "--dashboard-address", "127.0.0.1:0"), *arguments])


if __name__ == "__main__":
    run_worker(sys.argv[1:])

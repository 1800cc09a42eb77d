"""A Dask worker that listens on one address alone, the one by which it reaches the scheduler.

`nodes` has it started on each node: the command of Dask by itself listens on every network that the node is connected to, as does
its web server, which asks for no key. Here that server stays on the node and has no pages.
"""

import sys
from collections.abc import Sequence

import dask
from distributed.cli.dask_worker import main
from distributed.comm import get_address_host
from distributed.utils import get_ip


def run(arguments: Sequence[str]) -> None:
    """Run `dask worker` with `arguments`, the last of which is the address of the scheduler."""
    own = get_ip(get_address_host(arguments[-1]))
    with dask.config.set({"distributed.worker.http.routes": []}):
        main([*("--host", own, "--no-dashboard", "--dashboard-address", "127.0.0.1:0"), *arguments])


if __name__ == "__main__":
    run(sys.argv[1:])

"""A Dask worker that listens only on the address by which it reaches the scheduler.

`cluster` has it started on each node. The command of Dask listens on every network of the node, as does its web server, which
asks for no key. Here that server stays on the node and has no pages.
"""

import sys

import dask
from distributed.cli.dask_worker import main
from distributed.comm.addressing import get_address_host
from distributed.utils import get_ip

if __name__ == "__main__":
    address = get_ip(get_address_host(sys.argv[-1]))  # the last argument is the address of the scheduler
    with dask.config.set({"distributed.worker.http.routes": []}):
        main(["--host", address, "--no-dashboard", "--dashboard-address", "127.0.0.1:0", *sys.argv[1:]])

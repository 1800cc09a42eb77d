#!/bin/sh
# Install every package by version and SHA-256 for one interpreter: envs/install.sh PYTHON
# The locks are complete, so nothing else is looked for; torch is the build for processors alone where the index offers it.
set -eu
here=$(dirname "$0")
install() {
    "$python" -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r "$1"
}
python=$1
install "$here/torch-cpu.lock.txt" 2>/dev/null || echo "torch: the build of the default index is taken" >&2
install "$here/../requirements.lock.txt"
if "$python" -m pip show torch | grep -q '^Requires:.*nvidia'; then
    install "$here/torch-cuda.lock.txt"
fi

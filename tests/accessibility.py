"""axe-core, from the npm registry by the lock in `tests/axe`, and what it finds in a page."""

import shutil
from pathlib import Path

from tamrl.atlas import bundle

LOCK = Path(__file__).with_name("axe")


def fetch_axe(folder: Path) -> str:
    """Fetch the script of axe-core into an empty folder, as the libraries of the atlas are fetched, and return it."""
    for file in LOCK.glob("package*.json"):
        shutil.copy(file, folder)
    bundle._node(folder, str(bundle.NODE / bundle.NPM), "ci", *bundle.QUIET, todo="connect to the npm registry once")
    return (folder / "node_modules/axe-core/axe.min.js").read_text(encoding="utf-8")


def violations(page, axe: str) -> list[str]:
    """Rules that the page breaks, each with the elements; the page must come from a context with `bypass_csp`."""
    page.evaluate(axe)
    found = page.evaluate("axe.run({resultTypes: ['violations']}).then(r => r.violations)")
    assert page.evaluate("axe.run({resultTypes: ['passes']}).then(r => r.passes.length)") > 15, "axe did look"
    return [f"{rule['id']}: {[node['target'] for node in rule['nodes']]}" for rule in found]

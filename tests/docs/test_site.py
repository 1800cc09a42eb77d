"""The documentation as a site: built from docs/ and the code without a broken link, read offline on a desk or a phone."""

import functools
import os
import re
import shutil
import subprocess
import sys
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

import tamrl.api
from docs.site import write
from tamrl.command.main import build_parser

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / ".venv/docs/bin/mkdocs"


class _Loader(yaml.SafeLoader):
    """For the configuration of MkDocs, whose tags name functions."""


_Loader.add_multi_constructor("tag:yaml.org,2002:python/", lambda *_: None)


@pytest.fixture(scope="module")
def pages(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "build/pages"
    write.write_pages(folder)
    return folder


@pytest.fixture(scope="module")
def site(pages) -> Path:
    """The built site; without the program (`make .venv/docs`) a failure in CI, a skip elsewhere."""
    program = shutil.which("mkdocs", path=os.environ.get("DOCS_BIN", str(PROGRAM.parent)))
    if program is None:
        reason = "no mkdocs: make .venv/docs"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    top = pages.parents[1]
    (top / "docs/site").mkdir(parents=True)
    shutil.copy(ROOT / "docs/site/mkdocs.yml", top / "docs/site")
    (top / "tamrl").symlink_to(ROOT / "tamrl")
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    command = [program, "build", "-f", "docs/site/mkdocs.yml"]
    done = subprocess.run(command, cwd=top, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return top / "build/site"


def test_every_page_stands_in_the_menu_once(pages):
    menu = yaml.load((ROOT / "docs/site/mkdocs.yml").read_text(), _Loader)["nav"]
    sections = [entry for item in menu for value in item.values() for entry in ([item] if isinstance(value, str) else value)]
    named = [page for entry in sections for page in entry.values()]
    assert sorted(named) == sorted(page.name for page in pages.glob("*.md"))


def test_the_references_are_made_of_the_code(pages):
    names = re.findall(r"^::: (\S+)$", (pages / "reference-python.md").read_text(), re.MULTILINE)
    assert sorted(names) == sorted(f"{module}.{name}" for name, module in tamrl.api.EXPORTS.items())
    commands = (pages / "reference-command.md").read_text()
    assert "--measurement" in commands and f"usage: {build_parser().prog} predict" in commands
    keys = (pages / "reference-configuration.md").read_text()
    assert (
        "| `learning_rate` | number" in keys
        and "### training.tamrl" in keys
        and "| `bounds` | list or string or null | `null` |" in keys
    )
    figures = (pages / "gallery.md").read_text().count("<figure")
    assert figures == len(list(pages.glob("*.png"))) > 8


def test_a_page_with_a_link_to_nowhere_is_refused(tmp_path, monkeypatch):
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "a.md").write_text("[b](b.md)")
    (tmp_path / "README.md").write_text("[a](docs/a.md)")
    monkeypatch.setattr(write, "ROOT", tmp_path)
    monkeypatch.setattr(write, "DOCS", docs)
    with pytest.raises(SystemExit, match=r"the link b\.md leads to no file"):
        write.write_pages(tmp_path / "pages")


def test_nothing_is_fetched_and_every_name_is_documented(site):
    loaded = re.compile(r"""<(?:script|link|img|iframe)[^>]*(?:src|href)=["']?(?:https?:)?//""")
    for page in site.glob("*.html"):
        assert not loaded.search(page.read_text(encoding="utf-8")), page.name
    text = (site / "reference-python.html").read_text(encoding="utf-8")
    for name in tamrl.api.EXPORTS:
        assert f"tamrl.{name}" in text
    assert "gC m-2 d-1" in text and "calibration.json" in text


@pytest.fixture(scope="module")
def address(site):
    """Where a server of this machine shows the site; search needs one, pages do not."""
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(site))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.mark.parametrize(("width", "height"), [(1280, 900), (390, 844)])
def test_pages_fit_the_screen_and_are_found(address, chromium, width, height):
    page = chromium.new_page(viewport={"width": width, "height": height})
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on(
        "request", lambda request: None if request.url.startswith((address, "data:", "blob:")) else errors.append(request.url)
    )
    for name in ("index", "predict-my-site", "reference-python", "reference-configuration", "gallery", "benchmark"):
        page.goto(f"{address}{name}.html")
        assert page.locator("h1").first.is_visible()
        wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert wide <= 0, f"{name} is {wide} px too wide"
        if folder := os.environ.get("PICTURES"):
            page.screenshot(path=f"{folder}/{name}-{width}.png")
    page.goto(f"{address}index.html")
    if width < 1000:
        page.locator("label[for=__search].md-header__button").first.click()
    page.locator("input.md-search__input").press_sequentially("leaf area", delay=50)
    page.locator(".md-search-result__item").first.wait_for(timeout=120_000)
    assert errors == []
    page.close()


def test_the_lock_holds_what_the_extra_names(root):
    import tomllib

    extra = tomllib.loads((root / "pyproject.toml").read_text())["project"]["optional-dependencies"]["docs"]
    locked = (root / "envs/docs.lock.txt").read_text()
    assert all(re.search(rf"^{re.escape(name.partition('[')[0])}==", locked, re.MULTILINE) for name in extra)
    assert len(re.findall(r"^\S+==", locked, re.MULTILINE)) > 20 and sys.version_info >= (3, 11)

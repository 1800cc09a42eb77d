"""Pages of the site: those of docs/, and references made of the code: `python -m docs.site.write build/pages`."""

import argparse
import json
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import tamrl.api
from tamrl import config
from tamrl.command.main import build_parser
from tamrl.markdown import markdown_table

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
LINK = re.compile(r"(\]\()([^)\s]+)(\))")
FENCE = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
WIDTH = 100


def write_pages(folder: Path) -> None:
    """Write all pages and pictures into a folder, which is emptied before."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    waiting, written = [*sorted(DOCS.glob("*.md")), ROOT / "README.md"], set[Path]()
    while waiting:
        page = waiting.pop()
        if page not in written:
            written.add(page)
            waiting += _copy_page(page, folder)
    shutil.copy(ROOT / "docs/site/site.css", folder)
    (folder / "reference-python.md").write_text(python_reference(), encoding="utf-8")
    (folder / "reference-command.md").write_text(command_reference(), encoding="utf-8")
    (folder / "reference-configuration.md").write_text(configuration_reference(), encoding="utf-8")
    (folder / "gallery.md").write_text(gallery(), encoding="utf-8")


def site_name(file: Path) -> str:
    """Name of a file of the project on the site, whose pages lie in one folder."""
    relative = file.relative_to(ROOT)
    if relative == Path("README.md"):
        return "project.md"  # MkDocs takes README.md for the first page
    return file.name if relative.parts[0] == "docs" or len(relative.parts) == 1 else f"{relative.parts[-2]}-{file.name}"


def _copy_page(page: Path, folder: Path) -> list[Path]:
    """Copy a page with the files that it links to; returns the pages among them."""
    linked: list[Path] = []

    def moved(match: re.Match[str]) -> str:
        target, mark, anchor = match[2].partition("#")
        if "://" in target or not target:
            return match[0]
        file = (page.parent / target).resolve()
        if file.is_dir() or not file.exists():
            raise SystemExit(f"{page}: the link {match[2]} leads to no file")
        linked.append(file)
        return f"{match[1]}{site_name(file)}{mark}{anchor}{match[3]}"

    parts = FENCE.split(page.read_text(encoding="utf-8"))
    text = "".join(part if part.startswith("```") else LINK.sub(moved, part) for part in parts)
    (folder / site_name(page)).write_text(text, encoding="utf-8")
    for file in linked:
        if file.suffix != ".md":
            shutil.copy(file, folder / site_name(file))
    return [file for file in linked if file.suffix == ".md"]


def python_reference() -> str:
    """The names of the package, documented by their docstrings."""
    lines = ["# Python", "", "`import tamrl` gives these names; examples: [Python and the command line](python.md).", ""]
    for name, module in sorted(tamrl.api.EXPORTS.items()):
        lines += [f"::: {module}.{name}", "    options:", f"      heading: tamrl.{name}", f"      toc_label: {name}", ""]
    return "\n".join(lines)


def command_reference() -> str:
    """The help of the command and of its subcommands."""
    os.environ["COLUMNS"] = str(WIDTH)  # argparse asks for the width of the terminal
    parser = build_parser()
    (commands,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    summaries = {action.dest: action.help for action in commands._choices_actions}
    rows = [(f"[`tamrl {name}`](#tamrl-{name})", summaries[name]) for name in commands.choices]
    parts = ["# The command", "Exit codes: 0 done, 1 refused with an error that says what to do, 2 wrong arguments."]
    parts.append(markdown_table(("command", "what it does"), rows))
    for name, command in commands.choices.items():
        parts += [f"## tamrl {name}", f"```text\n{command.format_help().rstrip()}\n```"]
    return "\n\n".join(parts) + "\n"


def configuration_reference() -> str:
    """All keys of the configuration with types, defaults and meanings, from the schema."""
    schema = json.loads(config.schema_json())
    parts = ["# Configuration", "Every key with its default. Files are laid over these: [how](config-README.md).", "## Top level"]
    parts.append(_keys(schema, schema))
    for name, entry in schema["properties"].items():
        if (section := _section(entry, schema)) is not None:
            parts += [f"## {name}", section.get("description", ""), _keys(section, schema)]
            for key, inner in section["properties"].items():
                if (part := _section(inner, schema)) is not None:
                    parts += [f"### {name}.{key}", part.get("description", ""), _keys(part, schema)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _section(entry: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any] | None:
    """The class behind a key, None for a plain value."""
    for choice in (entry, *entry.get("anyOf", ())):
        if "$ref" in choice and "properties" in (found := schema["$defs"][choice["$ref"].rpartition("/")[2]]):
            return found
    return None


def _keys(section: dict[str, Any], schema: dict[str, Any]) -> str:
    rows = []
    for key, entry in section["properties"].items():
        inner = _section(entry, schema)
        default = "" if inner is not None or "default" not in entry else f"`{json.dumps(entry['default'], ensure_ascii=False)}`"
        meaning = entry.get("description") or (inner or {}).get("description", "")
        rows.append((f"`{key}`", _kind(entry, schema), default, " ".join(meaning.split())))
    cells = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    return markdown_table(("key", "type", "default", "meaning"), cells) if cells else ""


def _kind(entry: dict[str, Any], schema: dict[str, Any]) -> str:
    """The type of a value in words."""
    if "anyOf" in entry:
        return " or ".join(dict.fromkeys(_kind(choice, schema) for choice in entry["anyOf"]))
    if "enum" in entry:
        return ", ".join(f"`{value}`" for value in entry["enum"])
    if "const" in entry:
        return f"`{entry['const']}`"
    if "$ref" in entry:
        return "section"
    low, high = entry.get("minimum", entry.get("exclusiveMinimum")), entry.get("maximum", entry.get("exclusiveMaximum"))
    limits = f" {low:g} to {high:g}" if low is not None and high is not None else f" from {low:g}" if low is not None else ""
    name = {"array": "list", "object": "mapping", "boolean": "true or false"}.get(entry.get("type", ""), entry.get("type", "any"))
    return f"{name}{limits}"


FIGURE = """<figure markdown="span">
![{words}]({name})
<figcaption>{words}. <a href="{page}.html">More</a></figcaption>
</figure>"""

GALLERY = """# Gallery

Pictures of the latest runs; `make docs` makes them again.

<div class="grid-of-pictures" markdown>
{figures}
</div>
"""


def gallery() -> str:
    """Every picture of the pages with the words that its page has for it."""
    figures = {}
    for page in [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]:
        for words, target in re.findall(r"!\[([^\]]+)\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
            name = Path(target).name
            figures[name] = FIGURE.format(words=words, name=name, page=Path(site_name(page)).stem)
    return GALLERY.format(figures="\n".join(figures.values()))


if __name__ == "__main__":
    write_pages(Path(sys.argv[1]))

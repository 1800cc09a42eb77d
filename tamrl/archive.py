"""`make archive RUN=results/x`: pack a finished run into one file, a Workflow Run RO-Crate, which can be deposited and cited.

The ZIP file holds `provenance.json`, the products that it names, the files of the project that are under version control, and
`ro-crate-metadata.json`, which describes them (Leo et al. 2024, doi 10.1371/journal.pone.0309210).
"""

import logging
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

from tamrl import files, reproduce, simulated
from tamrl.errors import InputError
from tamrl.provenance import ROOT
from tamrl.run_record import FILE, Provenance

_log = logging.getLogger(__name__)
METADATA = "ro-crate-metadata.json"
LOCKS = ("requirements.lock.txt", "requirements-real.lock.txt")
CODE = ("Snakefile", "workflow", "tamrl", "config", "envs", *LOCKS, "pyproject.toml", "Makefile", "CITATION.cff", "LICENSE")
"""Files and folders of the project that go into the archive, below `code/`."""

LISTED = "SHA256SUMS"
"""List of the project's files in the archive; in an unpacked archive it replaces git."""

WORKFLOW = "code/Snakefile"
CRATE = "https://w3id.org/ro/crate/1.1"
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": "Process Run Crate",
    "https://w3id.org/ro/wfrun/workflow/0.5": "Workflow Run Crate",
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": "Workflow RO-Crate",
}
MIT = {"@id": "https://spdx.org/licenses/MIT", "@type": "CreativeWork", "name": "MIT License"}
CC_BY = {"@id": "https://spdx.org/licenses/CC-BY-4.0", "@type": "CreativeWork", "name": "Creative Commons Attribution 4.0"}
AUTHORS = {"@id": "#authors", "@type": "Organization", "name": "The tamrl developers"}
LANGUAGE = {
    "@id": "https://snakemake.github.io",
    "@type": "ComputerLanguage",
    "name": "Snakemake",
    "url": "https://snakemake.github.io",
}
DESCRIPTOR = {
    "@id": METADATA,
    "@type": "CreativeWork",
    "about": {"@id": "./"},
    "conformsTo": [{"@id": CRATE}, {"@id": "https://w3id.org/workflowhub/workflow-ro-crate/1.0"}],
}
MEDIA = {
    ".nc": "application/netcdf",
    ".csv": "text/csv",
    ".json": "application/json",
    ".html": "text/html",
    ".geojson": "application/geo+json",
    ".parquet": "application/vnd.apache.parquet",
    ".png": "image/png",
    ".md": "text/markdown",
}


def write_crate(run: str | Path) -> Path:
    """Write `<run>.crate.zip` beside the folder of a finished run, and return its path.

    Maps are compressed already and stored as they are. Raises `InputError` if the run has no record, or a product is missing
    or differs from its record.
    """
    run = Path(run)
    if not (run / FILE).exists():
        raise InputError("the run has no record", where=run, todo="let it end first: make maps CONFIG=...")
    recorded = Provenance.read(run / FILE)
    for line in reproduce.list_changes(recorded):
        _log.warning("the code in the archive differs from that of the run: %s", line)
    products, code = _products(run, recorded), _code()
    for name in sorted(left_out(code)):
        _log.warning("left out, because it is not under version control: %s", name)
    target = run.with_name(f"{run.name}.crate.zip")
    with files.atomic(target) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, path in (products | code).items():
            zipped.write(path, name, zipfile.ZIP_STORED if path.suffix in {".nc", ".parquet", ".png"} else None)
        zipped.writestr(f"code/{LISTED}", "".join(f"{files.checksum(path)}  {name[5:]}\n" for name, path in code.items()))
        zipped.writestr(METADATA, files.as_json(metadata(recorded, products, [*code, f"code/{LISTED}"])))
    return target


def _products(run: Path, recorded: Provenance) -> dict[str, Path]:
    """Files of the run by their names in the archive, each as it was recorded."""
    products = {FILE: run / FILE}
    for name, digest in recorded.outputs.items():
        within = name.removeprefix(f"{recorded.layout.folder}/")
        path = run / within
        _refuse_links(path, run)
        if not path.exists() or files.sha256(path) != digest:
            raise InputError(
                "a product is not what was recorded",
                where=path,
                found="another file" if path.exists() else "no file",
                todo="finish the run again before it is archived",
            )
        inside = files.list_files(path) if path.is_dir() else [path]
        products |= {(within if p == path else f"{within}/{p.relative_to(path).as_posix()}"): p for p in inside}
    return products


def _code() -> dict[str, Path]:
    """Files of the project that are under version control, by their names in the archive; links are refused."""
    code = {}
    for name in _listed():
        if name.split("/")[0] in CODE and (ROOT / name).exists():
            _refuse_links(ROOT / name, ROOT)
            code[f"code/{name}"] = ROOT / name
    return code


def _listed() -> list[str]:
    """Return the names of the project's files from git, or from the list in an unpacked archive."""
    if (ROOT / ".git").exists():
        done = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, text=True, check=False)
        if done.returncode:
            raise InputError("git does not tell which files belong to the project", where=ROOT, found=done.stderr.strip())
        return sorted(filter(None, done.stdout.split("\0")))
    if (ROOT / LISTED).is_file():
        lines = (ROOT / LISTED).read_text(encoding="utf-8").splitlines()
        names = sorted(line.partition("  ")[2] for line in lines)
        if all(name and not name.startswith("/") and ".." not in name.split("/") for name in names):
            return names
    todo = f"archive from a clone of the repository, or from an unpacked archive, which has {LISTED}"
    raise InputError("nothing tells which files belong to the project", where=ROOT, found=f"neither git nor {LISTED}", todo=todo)


def left_out(code: dict[str, Path]) -> list[str]:
    """List the files in the folders of the project that do not go into the archive."""
    places = [ROOT / name for name in CODE if (ROOT / name).exists()]
    every = [p for place in places for p in (place.rglob("*") if place.is_dir() else [place])]
    names = {p.relative_to(ROOT).as_posix() for p in every if (p.is_symlink() or p.is_file()) and "__pycache__" not in p.parts}
    return sorted(name for name in names if f"code/{name}" not in code)


def _refuse_links(path: Path, top: Path) -> None:
    """Raise `InputError` if the file, something in it, or a folder between it and `top` is a link."""
    inside = path.rglob("*") if path.is_dir() and not path.is_symlink() else ()
    for place in (path, *path.parents[: len(path.relative_to(top).parts) - 1], *inside):
        if place.is_symlink():
            todo = "put the file itself in its place: what it leads to may not be meant for others"
            raise InputError("a link does not go into an archive", where=place, found=f"a link to {place.readlink()}", todo=todo)


def metadata(recorded: Provenance, products: dict[str, Path], code: list[str]) -> dict[str, Any]:
    """Describe the crate in JSON-LD: one entity for each file, and one each for the workflow, its language and the run.

    `products` are the files of the run by their names in the archive, `code` the names of the project's files there.
    """
    parts = [{"@id": name} for name in (*products, *code)]
    described = [_file(name, path) for name, path in products.items()]
    plain = {"@type": "File", "encodingFormat": "text/plain"}
    described += [plain | {"@id": name, "name": name.removeprefix("code/")} for name in code]
    workflow = [entity | _workflow(recorded) if entity["@id"] == WORKFLOW else entity for entity in described]
    profiles = [{"@id": url, "@type": "CreativeWork", "name": name, "version": url[-3:]} for url, name in PROFILES.items()]
    graph = [DESCRIPTOR, _root(recorded, parts), _action(recorded, products), *workflow, *profiles, LANGUAGE, AUTHORS, MIT, CC_BY]
    return {"@context": f"{CRATE}/context", "@graph": graph}


def _root(recorded: Provenance, parts: list[dict[str, str]]) -> dict[str, Any]:
    """The archive itself."""
    virtual = recorded.virtual
    name = simulated.title(recorded.config["evaluation"]["title"] or recorded.run, virtual)
    inputs = "simulated flux towers, weather and satellite indices" if virtual else "flux towers, ERA5 and MODIS"
    text = f"Carbon fluxes (GPP, RECO, NEE) from {inputs}, with the workflow that made them."
    return {
        "@id": "./",
        "@type": "Dataset",
        "name": f"tamrl: {name}",
        "description": f"{simulated.COMMENT} {text}" if virtual else text,
        **({"keywords": ", ".join(simulated.KEYWORDS)} if virtual else {}),
        "datePublished": recorded.recorded,
        "license": {"@id": CC_BY["@id"]},  # of the products, as each map says; the code has its own
        "author": {"@id": AUTHORS["@id"]},
        "publisher": {"@id": AUTHORS["@id"]},
        "conformsTo": [{"@id": url} for url in PROFILES],
        "mainEntity": {"@id": WORKFLOW},
        "hasPart": parts,
        "mentions": {"@id": "#run"},
    }


def _action(recorded: Provenance, products: dict[str, Path]) -> dict[str, Any]:
    """The run: its inputs and outputs."""
    return {
        "@id": "#run",
        "@type": "CreateAction",
        "name": f"Run {recorded.run!r} of tamrl",
        "description": "All rules from raw inputs to products; configuration, seeds, inputs and costs are in provenance.json.",
        "instrument": {"@id": WORKFLOW},
        "object": {"@id": FILE},
        "result": [{"@id": name} for name in products if name != FILE],
        "endTime": recorded.recorded.replace("Z", "+00:00"),
        "actionStatus": {"@id": "http://schema.org/CompletedActionStatus"},
        "agent": {"@id": AUTHORS["@id"]},
    }


def _workflow(recorded: Provenance) -> dict[str, Any]:
    """Return the properties that make the Snakefile the workflow of the crate."""
    return {
        "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow"],
        "name": "tamrl",
        "version": recorded.git_revision,
        "license": {"@id": MIT["@id"]},
        "programmingLanguage": {"@id": LANGUAGE["@id"]},
        "softwareVersion": recorded.software.get("snakemake", "unknown"),
    }


def _file(name: str, path: Path) -> dict[str, Any]:
    """A product, with its size in bytes and its digest."""
    return {
        "@id": name,
        "@type": "File",
        "name": path.name,
        "contentSize": str(path.stat().st_size),
        "encodingFormat": MEDIA.get(path.suffix, "application/octet-stream"),
        "sha256": files.sha256(path),
    }


def main(arguments: list[str]) -> int:
    """Archive the run in the folder `arguments[0]`. Returns the exit code."""
    try:
        (folder,) = arguments
    except ValueError:
        print("give one run: make archive RUN=results/default", file=sys.stderr)
        return 2
    logging.basicConfig(format="%(message)s")
    target = write_crate(folder)
    print(f"{target}: {target.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

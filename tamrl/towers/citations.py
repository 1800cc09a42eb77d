"""Whom to cite and to thank for the towers of a run: BibTeX entries and a text."""

import re
from collections.abc import Mapping

import pandas as pd

from tamrl import escaping

DOI = re.compile(r"10\.\d{4,9}/[-._;()/:+A-Za-z0-9]+")
LINK = re.compile(r"https?://[^\s{}\\\"<>^`|]+")
SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\textbraceleft{}", "}": r"\textbraceright{}", "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}", **{sign: f"\\{sign}" for sign in "&%$#_"},
}  # fmt: skip
"""Escapes of TeX markup. BibTeX counts braces even if they are escaped."""

LICENCE = "CC-BY-4.0"
_THANKS = """\
Licence and acknowledgements of the tower data of this run
==========================================================

The data are shared under {licence} (https://creativecommons.org/licenses/by/4.0/): they may be used and passed on if their
authors are credited. Cite the networks and every tower below; the entries stand in citations.bib.

This work used eddy covariance data acquired and shared by the FLUXNET community, including AmeriFlux, ICOS, TERN OzFlux,
JapanFlux, ChinaFlux, KoFlux and the other regional networks. The processing and harmonisation of the data was done with
ONEFlux (Pastorello et al. 2020, doi 10.1038/s41597-020-0534-3). We thank the principal investigators and their teams.
"""


def bibtex(places: pd.DataFrame, networks: Mapping[str, Mapping[str, str]], remarks: Mapping[str, str]) -> str:
    """Return one BibTeX entry per network and one per tower.

    `places` has the columns site, network, and `citation`, `doi` where known. `networks` has title, author, year and doi of
    each network; `remarks` a caveat about its data, for the note of its entry.
    """
    entries = [
        _entry("article", name, {**publication, **({"note": remarks[name]} if name in remarks else {})})
        for name, publication in sorted(networks.items())
        if name in set(places["network"])
    ]
    for row in places.sort_values("site").to_dict("records"):
        if pd.notna(row.get("citation")):
            citation = str(row["citation"])
            fields = {"title": f"FLUXNET product of {row['site']}", "note": citation}
            fields |= _link(citation, str(row.get("doi") or ""))
            if year := re.search(r"\((\d{4})\)", citation):
                fields["year"] = year[1]
            entries.append(_entry("misc", f"tower_{row['site']}", fields))
    return "\n".join(entries)


def _link(citation: str, doi: str) -> dict[str, str]:
    """Return the DOI, or the link at the end of the citation, or neither."""
    if DOI.fullmatch(doi):
        return {"doi": doi}
    link = LINK.search(citation)
    return {"url": link.group().rstrip(".,;")} if link else {}


def _entry(kind: str, key: str, fields: Mapping[str, str]) -> str:
    """Return an entry with the markup of TeX escaped; `doi` and `url` match a pattern without markup."""
    lines = []
    for name, value in fields.items():
        text = " ".join(escaping.one_line(value).split())
        if name not in ("doi", "url"):
            text = "".join(SPECIAL.get(sign, sign) for sign in text)
        lines.append(f"  {name} = {{{text}}},")
    return "\n".join([f"@{kind}{{{key},", *lines, "}", ""])


def acknowledgements(places: pd.DataFrame, networks: Mapping[str, Mapping[str, str]], remarks: Mapping[str, str]) -> str:
    """Return licence, acknowledgement, remarks on networks (as in `bibtex`) and the citation of each tower."""
    lines = [_THANKS.format(licence=LICENCE)]
    for name, part in places.sort_values("site").groupby("network"):
        publication = networks.get(name, {})
        lines.append(
            f"{name}: {len(part)} towers"
            + (f"; {publication['author']} ({publication['year']}), doi {publication['doi']}" if publication else "")
        )
        if name in remarks:
            lines.append(f"  Note: {remarks[name]}.")
        for row in part.to_dict("records"):
            cite = row.get("citation")
            lines.append(f"  {row['site']}: {escaping.one_line(cite) if pd.notna(cite) else 'cite the network'}")
        lines.append("")
    return "\n".join(lines)

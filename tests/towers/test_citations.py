"""Whom to cite."""

import re

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
    return sites.table(rows)


def test_an_entry_for_each_network_and_tower():
    text = citations.bibtex(_places(), {k: v for k, v in NETWORKS.items() if v})
    assert re.findall(r"^@\w+\{(.+),$", text, re.MULTILINE) == ["shuttle", "tower_DE-Aaa", "tower_US-Bbb"]
    assert text.count("{") == text.count("}")
    assert r"Müller, A. \& B\_C (2025)" in text and r"100 \%" in text
    assert "url = {https://hdl.handle.net/11676/Z1_x}" in text and "doi = {10.17190/AMF/1}" in text
    assert "year = {2025}" in text


def test_thanks_name_the_licence_and_every_tower():
    text = citations.thanks(_places(), {k: v for k, v in NETWORKS.items() if v})
    assert "CC-BY-4.0" in text and "10.1038/s41597-020-0534-3" in text
    for site in ("DE-Aaa: Müller", "US-Bbb: P. (2026)", "NA: cite the network"):
        assert site in text


def test_remarks_stand_with_their_network():
    networks, remarks = {k: v for k, v in NETWORKS.items() if v}, {"shuttle": "months were moved"}
    assert citations.bibtex(_places(), networks, remarks).count("note = {months were moved}") == 1
    text = citations.thanks(_places(), networks, remarks)
    assert text.index("shuttle: 2 towers") < text.index("  Note: months were moved.\n") < text.index("DE-Aaa: M")

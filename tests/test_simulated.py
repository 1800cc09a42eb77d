"""One place decides whether the world is virtual, and every label that can say so is told."""

from pathlib import Path

import pandas as pd
import pandera.pandas as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamrl import archive, config, contracts, simulated
from tamrl.errors import ContractError
from tamrl.run_record import Provenance

ROOT = Path(__file__).parents[1]
SCHEMAS = {name: found for name, found in vars(contracts).items() if isinstance(found, pa.DataFrameSchema)}
LABELS = (
    "title",
    "summary",
    "source",
    "keywords",
    "keywords_vocabulary",
    "comment",
    "instrument",
    "platform",
    "institution",
    "id",
)
texts = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=40)


@pytest.mark.parametrize(("given_config", "expected"), [({}, True), ({"twin": None}, False)], ids=["default", "real"])
def test_the_configuration_decides(given_config, expected):
    """A run may call its reference `truth`, or name itself a virtual Earth: only simulated inputs make it one."""
    loaded = config.load({"evaluation": {"title": "A virtual Earth"}} | given_config).model_dump(mode="json")
    assert Provenance(run="x", config=loaded).virtual is expected and bool(simulated.description("a run", expected)) is expected


@given(st.dictionaries(st.sampled_from(LABELS), texts))
def test_whatever_a_file_is_called_it_says_so_once(labels):
    found = simulated.label_attributes(labels, True)
    for name in ("title", "summary", "source", "comment", "instrument", "platform"):
        assert found[name].count(simulated.STATEMENT) == 1, name
    assert set(simulated.KEYWORDS) <= set(found["keywords"].split(", ")) and simulated.is_stated(found)
    assert found.get("id") == labels.get("id") and found.get("institution") == labels.get("institution")
    assert simulated.label_attributes(found, True) == found
    assert simulated.label_attributes(labels, False) == labels


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_table_may_carry_the_column_and_readers_take_it_off(name, tmp_path):
    schema, path = SCHEMAS[name], tmp_path / "table.csv"
    empty = pd.DataFrame({n: pd.Series(dtype=str(c.dtype)) for n, c in schema.columns.items() if c.required})
    contracts.check_table(simulated.label_table(empty, True), schema, where=name).to_csv(path, index=False)
    assert path.read_text().strip().endswith(f",{simulated.COLUMN}")
    assert list(contracts.read_csv(str(path), schema).columns) == list(empty.columns)
    assert simulated.label_table(empty, False) is empty


def test_a_column_that_says_something_else_is_refused():
    table = pd.DataFrame({"site": ["A"], "fold": ["0"], "dissimilarity": [1.0], simulated.COLUMN: ["observed"]})
    with pytest.raises(ContractError, match=simulated.COLUMN):
        contracts.check_table(table, contracts.DISSIMILARITY, where="test")


@pytest.mark.parametrize("twin", [True, False])
def test_the_archive_says_what_it_was_made_from(twin):
    plain = config.load({} if twin else {"twin": None}).model_dump(mode="json")
    recorded = Provenance(run="mine", recorded="2026-01-02T03:04:05Z", config=plain, git_revision="a")
    root = next(e for e in archive.metadata(recorded, {}, [])["@graph"] if e["@id"] == "./")
    for name in ("name", "description"):
        assert (simulated.STATEMENT in root[name]) is twin
    assert ("ERA5" in root["description"]) is not twin and ("keywords" in root) is twin

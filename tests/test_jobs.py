"""Records of finished jobs lie beside their products, and go with them."""

import pytest
from snakemake.persistence import MetadataRecord

from tamrl import files
from tamrl.jobs import Beside

KEY = "results/a/b.csv"


@pytest.fixture
def kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with files.atomic(KEY) as part:
        part.write_text("1")
    found = Beside()
    found._write_record(KEY, MetadataRecord(rule="make_b", params=["7"], input=[str(tmp_path / "x")]))
    return found


def _read(kept):
    kept._clear_cache()
    return kept._read_record(KEY)


def test_a_record_lies_beside_its_product_and_names_no_folder(kept, tmp_path):
    said = _read(kept)
    assert (said.rule, said.params, said.input) == ("make_b", ["7"], ["x"])
    assert not list((tmp_path / ".snakemake").rglob("*b.csv*"))
    assert str(tmp_path) not in files.job_file(tmp_path / KEY).read_text()


@pytest.mark.parametrize("cut", [0, 1, 40])
def test_half_a_record_is_that_of_an_unfinished_job(kept, tmp_path, cut):
    file = files.job_file(tmp_path / KEY)
    file.write_text(file.read_text()[:cut])
    assert _read(kept).params == ["no finished job"]


def test_a_product_that_lost_its_seal_is_made_again(kept, tmp_path):
    files.seal_file(tmp_path / KEY).unlink()
    assert _read(kept).params == ["no finished job"]


def test_a_job_that_began_and_was_killed_is_made_again(kept):
    kept._mark_incomplete(KEY, None)
    assert _read(kept).params == ["no finished job"]


def test_a_record_goes_with_the_job_that_failed(kept):
    assert kept._delete_record(KEY) in (True, False) and _read(kept) is None


def test_records_of_older_versions_are_read_where_they_are(kept):
    kept._delete_record(KEY)
    super(Beside, kept)._write_record(KEY, MetadataRecord(rule="old"))
    assert _read(kept).rule == "old"


def test_a_lost_seal_is_refused_with_the_rule_that_makes_the_file(kept, tmp_path):
    files.seal_file(tmp_path / KEY).unlink()
    with pytest.raises(files.ContractError, match="forcerun make_b"):
        files.verified(KEY)
    (tmp_path / "mine.csv").write_text("1")
    assert files.verified("mine.csv").is_file()
    assert not files.is_intact(KEY) and not files.is_intact("results/a/gone")

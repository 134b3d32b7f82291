"""Tests for tf_simmim.data.sources.record_index."""

import dataclasses

import pytest

from tf_simmim.data.sources import record_index
from tf_simmim.data.sources import tfrecord

FILES = {"train-0.tfrecord": b"first", "train-1.tfrecord": b"another"}


@pytest.fixture
def folder(tmp_path):
    shards = []
    for file, contents in FILES.items():
        (tmp_path / file).write_bytes(contents)
        digest = record_index.sha256_of(str(tmp_path / file))
        shards.append(
            record_index.Shard(file, "train", 3, len(contents), digest)
        )
    index = record_index.RecordIndex(tuple(shards), {"train": None}, {"a": 1})
    index.write(tmp_path)
    return tmp_path


def paths(folder):
    return sorted(str(path) for path in folder.glob("*.tfrecord"))


def test_an_index_is_read_as_it_was_written(folder):
    index = record_index.find(paths(folder))
    assert [dataclasses.astuple(s)[:4] for s in index.shards] == [
        ("train-0.tfrecord", "train", 3, 5),
        ("train-1.tfrecord", "train", 3, 7),
    ]
    assert index.made_from == {"a": 1}
    part = record_index.find(paths(folder)[1:])
    assert part.of(paths(folder)[1:]) == [index.shards[1]]
    assert record_index.changed(paths(folder), index.shards) == []


def test_other_content_of_the_same_size_is_named(folder):
    shards = record_index.find(paths(folder)).shards
    (folder / "train-0.tfrecord").write_bytes(b"worst")
    (changed,) = record_index.changed(paths(folder), shards)
    assert "train-0.tfrecord has other content" in changed


def test_sizes_missing_and_new_files_are_one_error(folder):
    (folder / "train-0.tfrecord").write_bytes(b"longer")
    (folder / "train-1.tfrecord").unlink()
    (folder / "mine.tfrecord").write_bytes(b"")
    with pytest.raises(ValueError, match="must be those of .*index.json") as e:
        tfrecord.TFRecordSource(f"{folder}/*")
    for words in (
        "train-0.tfrecord has 6 bytes, not 5",
        "train-1.tfrecord is gone",
        "mine.tfrecord is not in it",
    ):
        assert words in str(e.value)


@pytest.mark.parametrize("old, new", [('": 5', '": 6'), ("{", "["), ("a", "b")])
def test_a_changed_index_is_refused(folder, old, new):
    path = folder / "index.json"
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(ValueError, match="index that experiments/prepare.py"):
        record_index.find(paths(folder))


def test_files_without_an_index_or_of_two_folders_have_none(folder, tmp_path):
    (tmp_path / "other").mkdir()
    other = tmp_path / "other" / "x.tfrecord"
    other.write_bytes(b"")
    assert record_index.find([str(other)]) is None
    assert record_index.find([*paths(folder), str(other)]) is None
    (tmp_path / "other" / record_index.UNFINISHED).mkdir()
    with pytest.raises(ValueError, match="not all prepared yet"):
        record_index.find([*paths(folder), str(other)])

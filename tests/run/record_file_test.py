"""Tests for run.json: what is written is read, and all else is refused."""

import copy
import json
import pathlib
import shutil

import hypothesis
import pytest
from hypothesis import strategies as st

from tests.run import records
from tf_simmim import run
from tf_simmim.run import record_file
from tf_simmim.run import settings as settings_of

RUNS = pathlib.Path(__file__).parents[1] / "golden" / "runs" / "0.1.0"
TEXT = st.text(max_size=20)
NUMBERS = st.integers(-(2**70), 2**70) | st.floats(
    allow_nan=False, allow_infinity=False
)
PLAIN = st.booleans() | NUMBERS | TEXT
NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,9}", fullmatch=True)
JSON = st.recursive(
    st.none() | PLAIN,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3)
    ),
    max_leaves=9,
)


@st.composite
def inputs(draw):
    channels = draw(st.integers(1, 4))

    def one_each(values):
        size = {"min_size": channels, "max_size": channels}
        return draw(st.lists(values, **size).map(tuple))

    known = draw(st.booleans())
    positive = st.floats(1e-3, 1e3)
    return run.InputRecord(
        image_size=draw(st.tuples(st.integers(1, 999), st.integers(1, 999))),
        channels=channels,
        value_range=draw(st.sampled_from([(0, 255), (-1.5, 65535)])),
        mean=one_each(st.floats(-1, 1)) if known else None,
        std=one_each(positive) if known else None,
        bands=one_each(TEXT) if draw(st.booleans()) else None,
        crop={"name": draw(TEXT), "crop_fraction": draw(st.floats(0.01, 1))},
    )


DATA = st.builds(
    run.DataRecord,
    name=TEXT,
    digest=st.none() | TEXT,
    splits=st.dictionaries(TEXT, TEXT, max_size=2),
    num_images=st.none() | st.integers(0, 2**40),
    num_labelled=st.none() | st.integers(0, 2**40),
    class_names=st.none() | st.lists(TEXT, max_size=3),
)
RECORDS = st.builds(
    run.RunRecord,
    kind=st.text(min_size=1, max_size=20).filter(str.isprintable),
    model=st.builds(
        run.ModelRecord,
        kind=TEXT,
        config=st.dictionaries(TEXT, JSON, max_size=3),
    ),
    input=inputs(),
    data=st.none() | DATA,
    settings=st.dictionaries(
        NAMES, PLAIN | st.lists(NUMBERS | TEXT, max_size=3), max_size=4
    ),
    seed=st.none() | st.integers(-(2**63), 2**63),
    versions=st.dictionaries(TEXT, st.none() | TEXT, max_size=2),
)


@hypothesis.settings(max_examples=60, deadline=None)
@hypothesis.given(record=RECORDS)
def test_what_is_written_is_what_is_read(record, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    run.write_record(folder, record)
    assert run.read_record(folder) == record
    assert run.read_settings(folder) == record.settings
    assert [file.name for file in folder.iterdir()] == ["run.json"]


@hypothesis.given(
    value=st.booleans() | NUMBERS | st.lists(NUMBERS, min_size=2, max_size=3)
)
def test_a_value_comes_back_from_its_letters(value):
    again = settings_of.from_text(settings_of.as_text(value))
    assert again == value and type(again) is type(value)


@hypothesis.given(text=st.text(alphabet="01.,e-ax ", max_size=9))
def test_letters_come_back_from_their_value(text):
    assert settings_of.as_text(settings_of.from_text(text)) == text


def spoilt(path, value):
    """Returns a document with another value at `path`, e.g. "data.name"."""
    document = json.loads(json.dumps(records.record().as_json()))
    place = document
    *parents, last = path.split(".")
    for parent in parents:
        place = place[parent]
    if value is KeyError:
        del place[last]
    else:
        place[last] = value
    return document


@pytest.mark.parametrize(
    "path, value, message",
    [
        ("schema", 2, "`schema` must be 1, the one that this version"),
        ("schema", KeyError, "`schema` must be 1.* Received: None."),
        ("schema", True, "`schema` must be 1"),
        ("kind", "", "`kind` must be printable text .* Received: ''."),
        ("kind", "a\x1b[2J", "`kind` must be printable text"),
        ("kind", "a" * 101, "`kind` must be .* of at most 100 characters"),
        ("kind", 3, "`kind` must be printable text .* Received: 3."),
        ("model", [], "`model` must be an object. Received: ...$"),
        ("model.kind", None, "`model.kind` must be the name of a kind"),
        ("model.config", "x", "`model.config` must be an object"),
        ("model.class", "os", "`model` must be an object with the fields"),
        ("input", None, "`input` must be an object"),
        ("input.image_size", [16], "`input.image_size` must be height and"),
        ("input.image_size", [16, 0], "`input.image_size` must be height"),
        ("input.image_size", [16, 2.5], "`input.image_size` must be height"),
        ("input.image_size", [16, 1 << 20], "`input.image_size` must be"),
        ("input.channels", -1, "`input.channels` must be a whole number"),
        ("input.value_range", [1, 1], "`input.value_range` must be the"),
        ("input.mean", [0.1], "`input.mean` must be 2 numbers, one for each"),
        ("input.mean", [0.1, "x"], "`input.mean` must be 2 numbers"),
        ("input.mean", [0.1, 10**400], "`input.mean` must be 2 numbers"),
        ("input.std", [0.1, 0], "`input.std` must be 2 .* above 0; or null"),
        ("input.bands", ["a"], "`input.bands` must be a name for each"),
        ("input.crop", {}, "`input.crop` must be an object with a `name`"),
        ("input.crop.crop_fraction", "x", "`input.crop` must be an object"),
        ("input.crop.crop_fraction", 1e-300, "`input.crop.crop_fraction` must"),
        ("input.crop.crop_fraction", 1.5, "crop_fraction` must be from 0.01"),
        ("data.name", None, "`data.name` must be text"),
        ("data.splits", {"a": 1}, "`data.splits` must be an object of text"),
        ("data.num_images", -3, "`data.num_images` must be a whole number"),
        ("data.num_labelled", 0.5, "`data.num_labelled` must be a whole"),
        ("data.class_names", "abc", "`data.class_names` must be a list"),
        ("data.class_names", [["a"]], "`data.class_names` must be a list"),
        ("settings", [], "`settings` must be an object of at most 1000"),
        ("settings.a b", 1, "`settings` must be .* plain names. .*'a b'"),
        ("settings.depth", None, "`settings.depth` must be a number, a text"),
        ("settings.depth", {"a": 1}, "`settings.depth` must be a number"),
        ("settings.depth", [[1]], "`settings.depth` must be a number, a text"),
        (
            "settings.name",
            "x" * (1 << 20 | 1),
            "`settings.name` must be a number",
        ),
        ("seed", 0.5, "`seed` must be a whole number, or null"),
        ("seed", 10**30, "`seed` must be a whole number, or null"),
        ("versions", {"keras": 3}, "`versions` must be an object of text"),
        ("more", 1, "`run` must be an object with the fields"),
    ],
)
def test_a_strange_field_is_one_sentence_with_its_name(
    path, value, message, tmp_path
):
    file = tmp_path / "run.json"
    file.write_text(json.dumps(spoilt(path, value)))
    with pytest.raises(ValueError, match=message) as error:
        run.read_record(tmp_path)
    text = str(error.value)
    assert text.startswith(f"{file} must be a run.json that tf_simmim has")
    assert "Received: " in text and "\n" not in text and len(text) < 500


@pytest.mark.parametrize(
    "content, message",
    [
        (b"{", "it is not JSON"),
        (b"\xff", "it is not JSON"),
        (b"[" * 200_000, "its brackets are too many"),
        (b" " * (64 << 20) + b"{}", "it has more than 67108864 bytes"),
        (b'{"schema": NaN}', "its numbers must be finite. Received: NaN"),
        (b'{"seed": ' + b"1" * 5000 + b"}", "it is not JSON|integer string"),
        (b"[1]", "`run` must be an object. Received: "),
    ],
)
def test_what_is_no_record_at_all_is_refused(content, message, tmp_path):
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        run.read_record(tmp_path)


def test_a_damaged_record_is_answered_with_what_to_do(tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(RUNS / "finetune", folder)
    whole = run.read_record(folder)
    (folder / "run.json").write_text("{")
    with pytest.raises(ValueError, match="or be removed"):
        run.read_record(folder)
    (folder / "run.json").unlink()
    assert run.read_record(folder) == whole


def test_a_pipe_in_its_place_keeps_nobody_waiting(tmp_path):
    (tmp_path / "run.json").mkdir()
    with pytest.raises(ValueError, match="no ordinary file"):
        run.read_record(tmp_path)


def test_a_link_to_nowhere_is_no_record(tmp_path):
    (tmp_path / "run.json").symlink_to(tmp_path / "gone")
    (tmp_path / "flags.txt").write_text("--seed=1\n")
    for read in (run.read_record, run.read_settings):
        with pytest.raises(ValueError, match="run.json that tf_simmim has wr"):
            read(tmp_path)


def test_long_text_and_many_classes_are_read_again(tmp_path, monkeypatch):
    record = records.record(
        data=run.DataRecord("folder:" + "x" * 20_000, class_names=["c"] * 5000),
        settings={"dataset": "folder:" + "x" * 20_000},
    )
    run.write_record(tmp_path, record)
    assert run.read_record(tmp_path) == record
    monkeypatch.setattr(record_file, "_MAX_BYTES", 60_000)
    run.write_record(tmp_path, record)
    again = run.read_record(tmp_path)
    assert again.data.class_names is None
    assert again.data.name == record.data.name
    monkeypatch.setattr(record_file, "_MAX_BYTES", 20_000)
    with pytest.raises(ValueError, match="`record` must take at most 20000 b"):
        run.write_record(tmp_path, record)


def test_channels_that_are_not_the_models_are_refused():
    record = records.record().input
    record.require_channels(2)
    with pytest.raises(ValueError, match="channels` must be 3.* Received: 2"):
        record.require_channels(3)


def test_a_record_that_cannot_be_written_leaves_the_old_one(tmp_path):
    run.write_record(tmp_path, records.record())
    before = (tmp_path / "run.json").read_bytes()
    strange = copy.copy(records.record())
    object.__setattr__(strange, "seed", float("nan"))
    with pytest.raises(ValueError):
        run.write_record(tmp_path, strange)
    assert (tmp_path / "run.json").read_bytes() == before

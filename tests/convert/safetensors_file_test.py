"""Tests for tf_simmim.convert.safetensors_file."""

import json
import os
import struct

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from tf_simmim import convert
from tf_simmim.convert import safetensors_file


def content(header, body=b""):
    """The bytes of a file with any header."""
    if not isinstance(header, bytes):
        header = json.dumps(header).encode()
    return struct.pack("<Q", len(header)) + header + body


def entry(dtype, shape, first, last):
    return {"dtype": dtype, "shape": shape, "data_offsets": [first, last]}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "weights.safetensors"


def test_what_was_written_is_read_bit_for_bit(path):
    rng = np.random.default_rng(0)
    weights = {
        "plain": rng.normal(size=[2, 3, 5]).astype(np.float32),
        "transposed": rng.normal(size=[2, 3]).astype(np.float32).T,
        "strided": np.arange(12.0, dtype=np.float32)[::3],
        "scalar": np.float32(1e-42),  # subnormal
        "negative zero": np.array([-0.0], np.float32),
        "double": rng.normal(size=[3]),
        "half": np.array([1 / 3, 6e-8], np.float16),
        "whole": np.arange(-2, 3),
        "bool": np.array([[True], [False]]),
    }
    convert.write_safetensors(path, weights)
    read = convert.read_safetensors(path)
    assert read.keys() == weights.keys()
    for name, want in weights.items():
        assert read[name].shape == want.shape
        assert read[name].dtype == want.dtype
        assert read[name].tobytes() == want.tobytes()
    assert safetensors_file.read_metadata(path) == {"format": "pt"}
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_bfloat16_becomes_the_same_numbers_in_float32(path):
    # 1, -2, 3.140625 and the smallest subnormal.
    halves = np.array([0x3F80, 0xC000, 0x4049, 0x0001], "<u2")
    path.write_bytes(
        content({"a": entry("BF16", [2, 2], 0, 8)}, halves.tobytes())
    )
    array = convert.read_safetensors(path)["a"]
    assert array.dtype == np.float32
    np.testing.assert_array_equal(
        array, np.array([[1, -2], [3.140625, 2.0**-133]], np.float32)
    )


FOUR = b"\0\0\x80\x3f"


@pytest.mark.parametrize(
    "data, reason",
    [
        (b"", "header too small"),
        (b"1234", "its header is said to have"),
        (struct.pack("<Q", 1 << 60) + b"{}", "1152921504606846976 bytes"),
        (content({"a": entry("F32", [1], 0, 4)})[:-1], "it is cut off"),
        (b"PK\x03\x04" + bytes(60), "another kind of file"),
        (content(b"abc"), "invalid JSON in header"),
        (content(b"\xff\xff"), "invalid UTF-8 in header"),
        (content([]), "invalid type: sequence"),
        (content(b"[" * 100_000), "invalid type: sequence"),
        (content(b'{"a":' * 100_000), "invalid"),
        (content({"a": entry("F32", [2], 0, 8)}, FOUR), "incomplete metadata"),
        (content({"a": entry("F32", [1], 0, 4)}, FOUR * 2), "incomplete"),
        (content({"a": entry("F32", [-1], 0, 4)}, FOUR), "integer `-1`"),
        (content({"a": entry("F32", [1 << 40] * 2, 0, 4)}, FOUR), "overflow"),
        (content({"a": entry("F33", [1], 0, 4)}, FOUR), "unknown variant"),
        (
            content({n: entry("F32", [1], 0, 4) for n in "ab"}, FOUR),
            "invalid offset",
        ),
        (
            content({"a.b": entry("F8_E4M3", [4], 0, 4)}, FOUR),
            "a.b is F8_E4M3, and may be one of",
        ),
        (
            content({"a": entry("F32", [1], 0, 4)}, struct.pack("<f", np.nan)),
            r"not finite are in \['a'\]",
        ),
        (
            content({"b": entry("BF16", [2], 0, 4)}, b"\x80\x7f\x80\x3f"),
            r"not finite are in \['b'\]",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_damaged_or_hostile_file_is_refused(path, data, reason):
    path.write_bytes(data)
    with pytest.raises(ValueError, match=reason) as caught:
        convert.read_safetensors(path)
    assert "must be a sound .safetensors file" in str(caught.value)
    assert path.name in str(caught.value)


def test_what_is_no_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name in ("nowhere", "pipe", "."):
        with pytest.raises(ValueError, match="there is no such file"):
            convert.read_safetensors(tmp_path / name)


def test_a_file_beyond_the_limit_is_refused_before_it_is_read(
    path, monkeypatch
):
    monkeypatch.setattr(safetensors_file, "_MAX_FILE_BYTES", 1 << 20)
    with open(path, "wb") as file:
        file.truncate((1 << 20) + 1)
    with pytest.raises(ValueError, match="more than 1048576 bytes"):
        convert.read_safetensors(path)


@hypothesis.given(
    st.integers(0, 400), st.binary(min_size=1, max_size=8), st.integers(0, 400)
)
@hypothesis.settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
def test_any_damage_is_refused_or_harmless(path, place, damage, length):
    """Whatever the bytes: arrays of finite numbers, or one clear error."""
    weights = {"a.weight": np.ones([3, 2], np.float32), "b": np.arange(4)}
    if not path.exists():
        convert.write_safetensors(path, weights)
    data = bytearray(path.read_bytes())
    data[place : place + len(damage)] = damage
    damaged = path.with_name("damaged")
    damaged.write_bytes(data[: max(len(data) - length, place)])
    try:
        arrays = convert.read_safetensors(damaged)
    except ValueError as error:
        assert "must be a sound .safetensors file" in str(error)
    else:
        assert sum(a.nbytes for a in arrays.values()) <= len(data)
        assert all(np.isfinite(a).all() for a in arrays.values())


@pytest.mark.parametrize(
    "name, reason",
    [
        ("weights.npz", r"ends in .safetensors. Received: .*weights.npz\."),
        ("there.safetensors", "there.safetensors, which exists"),
        ("nowhere/x.safetensors", "can be written.*No such file or directory"),
    ],
)
def test_only_a_new_file_is_written(tmp_path, name, reason):
    (tmp_path / "there.safetensors").write_text("precious")
    with pytest.raises(ValueError, match=reason):
        convert.write_safetensors(tmp_path / name, {"a": np.ones([2])})
    assert (tmp_path / "there.safetensors").read_text() == "precious"

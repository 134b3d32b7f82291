"""Tests for tf_simmim.data.preparation: shards, the index, going on."""

import io
import json
import os

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tf_simmim.data import errors
from tf_simmim.data import preparation
from tf_simmim.data.sources import arrays
from tf_simmim.data.sources import folder
from tf_simmim.data.sources import record_index
from tf_simmim.data.sources import tfrecord

NUM_IMAGES = 26  # in a train folder; three are bad
BAD = ("a/04.png", "b/11.png", "b/25.png")


def picture(number, grey=False, size=(36, 28)):
    """Returns a PNG file; the mean of the first row is its number times 8."""
    shape = (size[1], size[0]) if grey else (size[1], size[0], 3)
    pixels = np.random.RandomState(number).randint(0, 256, shape)
    pixels[0] = 8 * number
    file = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Folders train (two classes, three bad files) and test."""
    root = tmp_path_factory.mktemp("images")
    for number in range(NUM_IMAGES):
        path = root / "train" / "ab"[number % 2] / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(number, grey=number % 5 == 0))
    for number in (30, 31):
        path = root / "test" / "ab"[number % 2] / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(number))
    for name in BAD:
        (root / "train" / name).write_bytes(b"GIF8 no image")
    return root


def sources(images):
    name = str(images)
    return {s: folder.FolderSource(name, s) for s in ("train", "test")}


def prepare(images, out, progress=lambda count: None, **options):
    options = {
        "short_side": 0,
        "image_format": "png",
        "images_per_shard": 4,
        "num_workers": 2,
        **options,
    }
    making = preparation.Preparation(sources(images), out, **options)
    try:
        return making.run(progress)
    finally:
        making.close()


@pytest.fixture(scope="module")
def prepared(images, tmp_path_factory):
    out = tmp_path_factory.mktemp("prepared")
    return out, prepare(images, out)


def contents(path):
    return {
        str(file.relative_to(path)): file.read_bytes()
        for file in sorted(path.rglob("*"))
        if file.is_file()
    }


def examples(path):
    for record in tf.data.TFRecordDataset(str(path)):
        yield tf.train.Example.FromString(record.numpy()).features.feature


@pytest.mark.slow
def test_both_splits_train_as_the_folder_does(images, prepared):
    out, _ = prepared
    for split, before in sources(images).items():
        after = tfrecord.TFRecordSource(f"{out}/*.tfrecord", split)
        assert after.class_names == before.class_names == ("a", "b")
        want = {
            os.fsdecode(path): before.read(tf.constant(index, tf.int64))
            for index, path in enumerate(before.paths)
            if not os.fsdecode(path).endswith(BAD)
        }
        got = list(after.epoch(shuffle=False))
        assert len(after) == len(got) == len(want)
        number = {int(e["image"][0, 0, 0]): e for e in want.values()}
        assert len(number) == len(want)
        for element in got:
            same = number[int(element["image"][0, 0, 0])]
            np.testing.assert_array_equal(element["image"], same["image"])
            assert element["label"] == same["label"]
    train = tfrecord.TFRecordSource(f"{out}/train-*.tfrecord", "test")
    assert len(train) == 1  # of a split alone every twentieth is held out
    both = tfrecord.TFRecordSource(f"{out}/*.tfrecord", "all")
    assert len(both) == NUM_IMAGES - len(BAD)


def test_the_index_lists_files_names_and_what_was_left_out(images, prepared):
    out, index = prepared
    files = [shard.file for shard in index.shards]
    assert files[0] == "train-00000-of-00007.tfrecord"
    assert files[-1] == "test-00000-of-00001.tfrecord"
    assert sorted([*files, "index.json"]) == sorted(os.listdir(out))
    for shard in index.shards:
        found = list(examples(out / shard.file))
        assert len(found) == shard.records
        assert (out / shard.file).stat().st_size == shard.bytes
        assert record_index.sha256_of(str(out / shard.file)) == shard.sha256
    assert sorted(bad["name"] for bad in index.left_out) == [
        f"train/{name}" for name in BAD
    ]
    assert "GIF" in index.left_out[0]["reason"]
    assert record_index.read(out) == index
    assert index.made_from["source"] == f"folder:{images}"


def test_records_keep_name_class_and_size_and_grey_stays_grey(prepared):
    out, index = prepared
    names, num_grey = set(), 0
    for shard in index.shards:
        for features in examples(out / shard.file):
            (name,) = features["image/filename"].bytes_list.value
            (text,) = features["image/class/text"].bytes_list.value
            names.add(name.decode())
            assert name.split(b"/")[1] == text
            assert list(features["image/height"].int64_list.value) == [28]
            assert list(features["image/width"].int64_list.value) == [36]
            (encoded,) = features["image/encoded"].bytes_list.value
            number = int(name[-6:-4])
            mode = Image.open(io.BytesIO(encoded)).mode
            assert mode == ("L" if number % 5 == 0 and number < 30 else "RGB")
            num_grey += mode == "L"
    assert len(names) == NUM_IMAGES - len(BAD) + 2
    assert "train/a/02.png" in names
    assert "test/b/31.png" in names
    assert num_grey > 2


@pytest.mark.slow
def test_images_are_stored_out_of_order_unless_asked(images, tmp_path):
    orders = []
    for shuffle in (True, False):
        out = tmp_path / str(shuffle)
        index = prepare(images, out, shuffle=shuffle, num_shards=2)
        assert [s.split for s in index.shards] == [
            *["train"] * 2,
            *["test"] * 2,
        ]
        orders.append(
            [
                features["image/filename"].bytes_list.value[0]
                for shard in index.shards[:2]
                for features in examples(out / shard.file)
            ]
        )
    assert orders[0] != orders[1] == sorted(orders[0])


class Stop(Exception):
    """Raised in the middle."""


@pytest.mark.parametrize("count", [1, 15, 27])
@pytest.mark.slow
def test_going_on_ends_in_the_same_bytes(images, prepared, count, tmp_path):
    total = 0

    def progress(more):
        nonlocal total
        total += more
        if total >= count:
            raise Stop

    with pytest.raises(Stop):
        prepare(images, tmp_path, progress)
    assert not (tmp_path / "index.json").exists()
    if list(tmp_path.glob("*.tfrecord")):
        with pytest.raises(ValueError, match="not all prepared yet"):
            tfrecord.TFRecordSource(f"{tmp_path}/*.tfrecord")
    times = {f: (tmp_path / f).stat().st_mtime_ns for f in tmp_path.iterdir()}
    counts = []
    prepare(images, tmp_path, counts.append)
    assert sum(counts) == NUM_IMAGES + 2
    assert contents(tmp_path) == contents(prepared[0])
    for file, time in times.items():
        if file.suffix == ".tfrecord":
            assert file.stat().st_mtime_ns == time


@pytest.mark.slow
def test_a_shard_that_is_damaged_meanwhile_is_written_again(
    images, prepared, tmp_path
):
    def progress(more):
        if len(list(tmp_path.glob("*.tfrecord"))) == 5:
            raise Stop

    with pytest.raises(Stop):
        prepare(images, tmp_path, progress)
    files = sorted(tmp_path.glob("*.tfrecord"))
    os.truncate(files[2], 100)
    files[0].unlink()
    prepare(images, tmp_path)
    assert contents(tmp_path) == contents(prepared[0])


@pytest.mark.parametrize(
    "options",
    [{"quality": 80, "image_format": "jpeg"}, {"images_per_shard": 5}],
)
def test_other_settings_are_refused(images, prepared, options, tmp_path):
    with pytest.raises(ValueError, match="other settings.*Received: .*=") as e:
        prepare(images, prepared[0], **options)
    assert all(key in str(e.value) for key in options)

    def stop(count):
        raise Stop

    with pytest.raises(Stop):
        prepare(images, tmp_path, stop)
    with pytest.raises(ValueError, match="other settings"):
        prepare(images, tmp_path, **options)


def test_a_folder_with_other_files_is_refused(images, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="in which there is notes.txt"):
        prepare(images, tmp_path)
    assert os.listdir(tmp_path) == ["notes.txt"]


def test_two_at_a_time_are_refused(images, tmp_path):
    first = preparation.Preparation(sources(images), tmp_path)
    with pytest.raises(ValueError, match="no other process"):
        preparation.Preparation(sources(images), tmp_path)
    first.close()


def test_too_many_bad_images_stop_it_and_a_higher_limit_goes_on(
    images, prepared, tmp_path
):
    with pytest.raises(ValueError, match=r"At most 2 .* 3 bad .*\.png \(") as e:
        prepare(images, tmp_path, max_bad_images=2)
    assert any(name in str(e.value) for name in BAD)
    prepare(images, tmp_path, max_bad_images=3)
    assert contents(tmp_path) == contents(prepared[0])


def test_a_split_of_bad_images_alone_is_refused(tmp_path):
    for number in range(3):
        (tmp_path / f"{number}.jpg").write_bytes(b"no image")
    source = folder.FolderSource(str(tmp_path), "all")
    making = preparation.Preparation({"all": source}, tmp_path / "out")
    with pytest.raises(ValueError, match="one image of the split 'all'"):
        making.run()


@pytest.mark.slow
def test_record_files_are_prepared_again_and_their_damage_is_named(
    prepared, tmp_path
):
    out, _ = prepared
    pattern = f"{out}/train*.tfrecord"
    source = tfrecord.TFRecordSource(pattern, "all")
    making = preparation.Preparation(
        {"all": source}, tmp_path / "again", short_side=14, num_shards=3
    )
    making.run()
    again = tfrecord.TFRecordSource(f"{tmp_path}/again/*", "all")
    assert len(again) == len(source)
    assert again.class_names is None or again.class_names == ("a", "b")
    for element in again.epoch():
        assert element["image"].shape == (14, 18, 3)

    copy = tmp_path / "copy"
    copy.mkdir()
    for name, content in contents(out).items():
        (copy / name).write_bytes(content)
    source = tfrecord.TFRecordSource(f"{copy}/*.tfrecord", "train")
    path = copy / "train-00003-of-00007.tfrecord"
    changed = bytearray(path.read_bytes())
    changed[50] ^= 1
    path.write_bytes(changed)
    making = preparation.Preparation({"train": source}, tmp_path / "third")
    with pytest.raises(errors.DamagedRecordsError, match="00003-of-00007"):
        making.run()


def test_a_disk_that_cannot_be_written_to_is_one_sentence(
    images, prepared, tmp_path, monkeypatch
):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        patch.setattr(record_index, "sha256_of", full)
        with pytest.raises(ValueError, match="No space left"):
            prepare(images, tmp_path)
    assert list(tmp_path.glob("*.tfrecord")) == []
    prepare(images, tmp_path)
    assert contents(tmp_path) == contents(prepared[0])


def test_arguments_are_checked(images, tmp_path):
    for options, message in (
        ({"short_side": -1}, "`short_side` must be"),
        ({"image_format": "gif"}, "`image_format` must be one of jpeg, png"),
        ({"quality": 0}, "`quality` must lie in 1..100"),
        ({"images_per_shard": 0}, "`images_per_shard` must be positive"),
        ({"num_shards": 0}, "`num_shards` must be positive"),
        ({"num_workers": 0}, "`num_workers` must be positive"),
    ):
        with pytest.raises(ValueError, match=message):
            prepare(images, tmp_path / "out", **options)
    five = arrays.ArraySource(np.zeros([2, 4, 6, 5], np.uint8))
    with pytest.raises(ValueError, match="1 or 3 channels"):
        preparation.Preparation({"all": five}, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_index_is_json_that_people_can_read(prepared):
    content = json.loads((prepared[0] / "index.json").read_text())
    assert content["format"] == "tf_simmim prepared images, version 1"
    assert content["made_from"]["tensorflow"] == tf.__version__

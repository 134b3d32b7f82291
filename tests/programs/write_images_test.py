"""Tests for programs/write_images.py."""

import numpy as np
import pytest
import tensorflow as tf
from absl import flags
from absl.testing import flagsaver
from PIL import Image

from tf_simmim import data
from tf_simmim.programs import write_images

FLAGS = flags.FLAGS


@pytest.fixture(autouse=True)
def saved_flags():
    with flagsaver.flagsaver():
        yield


def write(folder, *arguments):
    FLAGS.unparse_flags()
    FLAGS(["program", f"--image_dir={folder}", *arguments])
    write_images.write()
    return sorted(path.name for path in folder.iterdir())


def read(path):
    with Image.open(path) as image:
        return np.asarray(image)


def test_files_hold_the_pixels_and_are_named_by_place_and_class(
    tmp_path, capsys
):
    folder = tmp_path / "new" / "digits"
    words = ("--dataset=builtin:digits", "--split=test", "--num_images=3")
    names = write(folder, *words)
    source = data.open_source("builtin:digits", split="test")
    labels = source.labels()[:3]
    assert names == [f"000{i}_{labels[i]}.png" for i in range(3)]
    for i, name in enumerate(names):
        pixels = source.read(i)["image"].numpy()
        np.testing.assert_array_equal(read(folder / name), pixels[..., 0])
    printed = capsys.readouterr().out
    assert f"3 of 360 images of builtin:digits: {folder}" in printed
    assert write(folder, *words) == names  # once more: the same files


def test_a_folder_of_colour_images_is_written_whole(tmp_path):
    images = tmp_path / "images" / "a b"
    images.mkdir(parents=True)
    pixels = np.arange(2 * 3 * 5 * 3, dtype=np.uint8).reshape(2, 3, 5, 3)
    for i in range(2):
        Image.fromarray(pixels[i]).save(images / f"{i}.png")
    folder = tmp_path / "out"
    dataset = f"--dataset=folder:{images.parent}"
    names = write(folder, dataset, "--split=all", "--num_images=9")
    assert names == ["0000_a_b.png", "0001_a_b.png"]
    for i, name in enumerate(names):
        np.testing.assert_array_equal(read(folder / name), pixels[i])


def test_a_bad_image_is_named(tmp_path):
    (tmp_path / "bad.jpg").write_text("no image")
    with pytest.raises(SystemExit, match=r"must be good: .*bad\.jpg is not"):
        write(tmp_path / "out", f"--dataset=folder:{tmp_path}", "--split=all")


def folder_of_greys(path, values):
    """Writes a folder of two classes, whose images are of one grey each."""
    for i, value in enumerate(values):
        folder = path / ("ab"[2 * i // len(values)])
        folder.mkdir(parents=True, exist_ok=True)
        pixels = np.full([40, 60], value, np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.png")


def of_run(run, *arguments):
    """Returns the command line with what the run says of its images."""
    argv = ["program", f"--run={run}", *arguments]
    return write_images.with_images_of_run(argv)[1:]


def test_held_out_images_of_a_run_come_from_all_over_them(tmp_path, capsys):
    folder_of_greys(tmp_path / "train", [200, 210])
    folder_of_greys(tmp_path / "held_out", range(10, 90, 10))
    run = tmp_path / "run"
    run.mkdir()
    (run / "flags.txt").write_text(
        f"--backbone=vit_nano\n--channels=1\n--dataset=folder:{tmp_path}/train\n"
        f"--validation_dataset=folder:{tmp_path}/held_out\n--nohorizontal_flip\n"
    )
    out = tmp_path / "out"
    words = of_run(run, "--num_images=4", "--largest_side=30")
    names = write(out, *words)
    # Of a run of any program: other flags than those of images are left out.
    assert not any("backbone" in word for word in words)
    assert names == ["0000_a.png", "0002_a.png", "0004_b.png", "0006_b.png"]
    for name, value in zip(names, (10, 30, 50, 70), strict=True):
        pixels = read(out / name)
        assert pixels.shape == (20, 30) and (pixels == value).all()
    assert "4 of 8 images of folder:" in capsys.readouterr().out
    # A bad one is left out: the others show what there is.
    (tmp_path / "held_out" / "a" / "2.png").write_text("no image")
    assert write(tmp_path / "good", *words) == [names[0], *names[2:]]


def test_a_run_that_holds_nothing_out_gives_what_it_trains_on(tmp_path):
    (tmp_path / "flags.txt").write_text(
        "--dataset=builtin:digits\n--validation_split=\n"
    )
    words = of_run(tmp_path, "--num_images=3")
    names = write(tmp_path / "out", *words)
    assert [name[:4] for name in names] == ["0000", "0599", "1198"]
    with pytest.raises(SystemExit, match="--run"):
        of_run(tmp_path / "out")


def test_a_source_that_is_only_read_in_order_gives_its_first(
    tmp_path, monkeypatch
):
    source = data.open_source("builtin:digits", split="test")
    source.random_access = False
    records = tf.data.Dataset.range(len(source)).map(lambda i: {"index": i})
    monkeypatch.setattr(source, "records", lambda *_: records)
    monkeypatch.setattr(source, "decode", lambda r: source.read(r["index"]))
    monkeypatch.setattr(data, "open_source", lambda *_, **__: source)
    names = write(
        tmp_path / "out", "--dataset=builtin:digits", "--num_images=2"
    )
    labels = source.labels()[:2]
    assert names == [f"000{i}_{labels[i]}.png" for i in range(2)]
    pixels = source.read(1)["image"].numpy()[..., 0]
    np.testing.assert_array_equal(read(tmp_path / "out" / names[1]), pixels)

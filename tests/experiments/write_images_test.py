"""Tests for experiments/write_images.py."""

import numpy as np
import pytest
import write_images
from absl import flags
from absl.testing import flagsaver
from PIL import Image

from tf_simmim import data

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
        write(
            *(tmp_path / "out", f"--dataset=folder:{tmp_path}"), "--split=all"
        )


def test_a_source_that_is_only_read_in_order_is_refused(tmp_path, monkeypatch):
    source = data.open_source("builtin:digits")
    source.random_access = False
    monkeypatch.setattr(data, "open_source", lambda *_, **__: source)
    with pytest.raises(SystemExit, match="must give any image at once"):
        write(tmp_path / "out", "--dataset=builtin:digits")
    assert not (tmp_path / "out").exists()

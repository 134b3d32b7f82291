"""Tests for programs/image_files.py."""

import os
import pathlib

import numpy as np
import pytest
from absl import flags
from absl.testing import flagsaver
from PIL import Image

from tests.programs import picture_run
from tf_simmim import data
from tf_simmim.programs import image_files
from tf_simmim.programs.flags import trained_run_flags

FLAGS = flags.FLAGS
H, W = picture_run.H, picture_run.W
NORMALIZATION = data.Normalization()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "run"
    return path, picture_run.create(path).backbone


@pytest.fixture(autouse=True)
def saved_flags():
    FLAGS.mark_as_parsed()
    with flagsaver.flagsaver():
        yield


def read(path, backbone):
    image = image_files.read_image(str(path), backbone, NORMALIZATION)
    return NORMALIZATION.denormalize(image).numpy()


def test_normalisation_is_the_one_that_the_run_was_trained_with(run):
    path, backbone = run
    FLAGS.run = str(path)
    model, normalization = trained_run_flags.load_run()
    assert model.backbone.get_config() == backbone.get_config()
    assert normalization.mean == data.IMAGENET_MEAN  # there is no flags.txt
    (path / "flags.txt").write_text(
        "--image_mean=0.1,0.2,0.3\n--image_std=0.4,0.5,0.6\n"
    )
    _, normalization = trained_run_flags.load_run()
    assert normalization.mean == (0.1, 0.2, 0.3)
    assert normalization.std == (0.4, 0.5, 0.6)
    for text in ("--image_std=0.4", "--image_std=a,b,c"):
        (path / "flags.txt").write_text(text)
        with pytest.raises(ValueError, match="3 numbers for --image_std.*Rec"):
            trained_run_flags.load_run()
    (path / "flags.txt").unlink()


def test_a_run_has_to_be_named():
    FLAGS.run = None
    with pytest.raises(ValueError, match="--run="):
        trained_run_flags.load_run()


def test_images_are_turned_as_exif_says_and_cut_to_the_models_shape(
    run, tmp_path
):
    pixels = np.zeros([W, H, 3], np.uint8)
    pixels[: W // 3] = 200  # the first rows, which come out at the right
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(tmp_path / "a.jpg", exif=exif, quality=95)
    got = read(tmp_path / "a.jpg", run[1])
    np.testing.assert_allclose(got, np.rot90(pixels, -1), atol=3)


def test_arrays_of_any_number_of_channels_are_read(tmp_path):
    backbone = picture_run.create(tmp_path / "run", channels=5).backbone
    pixels = np.random.default_rng(0).integers(
        0, 256, [H, W, 5], dtype=np.uint8
    )
    np.save(tmp_path / "a.npy", pixels)
    normalization = data.Normalization([0.5] * 5, [0.2] * 5)
    image = image_files.read_image(
        str(tmp_path / "a.npy"), backbone, normalization
    )
    np.testing.assert_array_equal(normalization.denormalize(image), pixels)
    (photo,) = picture_run.write_images(tmp_path, 1)
    with pytest.raises(ValueError, match=r"0.png: .*1 \(grey\) or 3.*: 5"):
        image_files.read_image(photo, backbone, normalization)


@pytest.mark.parametrize(
    "pixels, message",
    [
        (np.zeros([H, W, 3]), "uint8.*float64"),
        (np.zeros([H, W], np.uint8), r"\(16, 24\)"),
        (np.zeros([H, W, 4], np.uint8), r"3\].*\(16, 24, 4\)"),
        (np.zeros([0, W, 3], np.uint8), "must have pixels"),
        (np.array([None]), "a.npy: "),
    ],
)
def test_other_arrays_are_refused(run, tmp_path, pixels, message):
    np.save(tmp_path / "a.npy", pixels, allow_pickle=True)
    with pytest.raises(ValueError, match=message):
        read(tmp_path / "a.npy", run[1])


def test_bad_files_are_named_and_the_others_are_read(run, tmp_path):
    good = picture_run.write_images(tmp_path, 2)
    whole = pathlib.Path(good[0]).read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[:200])
    (tmp_path / "text.jpg").write_text("no image")
    bad = [str(tmp_path / n) for n in ("cut.png", "text.jpg", "gone.gif")]
    paths, images, failures = image_files.read_images(
        [bad[0], good[1], *bad[1:], good[0]], run[1], NORMALIZATION
    )
    assert paths == [good[1], good[0]]
    assert images.shape == (2, H, W, 3)
    assert len(failures) == 3
    for path, failure in zip(bad, failures, strict=True):
        assert path in failure
    assert "No such file" in failures[2]
    nothing = image_files.read_images(bad, run[1], NORMALIZATION)
    assert nothing == ([], None, failures)


def test_no_files_and_folders_are_refused_with_what_to_do(tmp_path):
    with pytest.raises(ValueError, match="one or more image files"):
        image_files.require_files([])
    with pytest.raises(ValueError, match=r"name files in it.*\*.jpg"):
        image_files.require_files(["a.jpg", str(tmp_path)])


def test_a_place_that_cannot_be_written_to_is_refused(tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "no" / "a.png"):
        with pytest.raises(ValueError, match="folder that exists"):
            image_files.require_writable(str(path))
    with pytest.raises(ValueError, match="can be made.*Not a dir"):
        image_files.make_folder(str(tmp_path / "file" / "b"))
    image_files.make_folder(str(tmp_path / "c" / "d"))
    image_files.require_writable(str(tmp_path / "c" / "d" / "a.png"))


def test_failures_end_the_program_and_their_absence_does_not():
    image_files.exit_with([])
    with pytest.raises(SystemExit, match="not be used:\n  a.jpg: gone"):
        image_files.exit_with(["a.jpg: gone"])


def test_names_are_printable():
    assert image_files.name(os.fsdecode(b"a\n\xff.jpg")) == r"a\x0a\xff.jpg"

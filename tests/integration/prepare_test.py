"""prepare.py as a user runs it: killed, continued, trained on."""

import os
import re
import time

import numpy as np
import pytest
import tensorflow as tf

from tests.integration import programs

NUM_IMAGES = 60  # of which 20, 40 and 60 are held out


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return write_images(tmp_path_factory.mktemp("images"))


def write_images(folder):
    """Writes JPEG files, and a page of that name, into a folder."""
    for number in range(NUM_IMAGES):
        pixels = np.random.RandomState(number).randint(0, 256, (80, 60, 3))
        contents = tf.io.encode_jpeg(pixels.astype(np.uint8)).numpy()
        (folder / f"{number:02d}.jpg").write_bytes(contents)
    (folder / "07.jpg").write_text("<html>")
    return folder


def arguments(images, out, *more):
    return (
        *(f"--dataset=folder:{images}", f"--out={out}", "--short_side=48"),
        *("--images_per_shard=4", "--workers=1", *more),
    )


def contents(folder):
    """Returns the bytes of a folder's files by their names."""
    files = (path for path in folder.iterdir() if path.is_file())
    return {path.name: path.read_bytes() for path in files}


@pytest.mark.slow
def test_killed_and_continued_it_ends_alike_and_trains(images, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    result = programs.run("prepare.py", *arguments(images, whole))
    assert result.returncode == 0, result.stderr
    assert "train: 56 images in 15 files" in result.stdout
    assert "test: 3 images in 1 files" in result.stdout
    assert re.search("Left out 07.jpg: .*not a JPEG", result.stderr)

    process = programs.start("prepare.py", *arguments(images, killed))
    deadline = time.monotonic() + 300
    while len(list(killed.glob("*.tfrecord"))) < 5:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.001)
    process.kill()
    process.wait()
    assert not (killed / "index.json").exists()
    early = programs.run(
        "pretrain.py",
        *programs.TINY,
        f"--dataset=tfrecord:{killed}/*.tfrecord",
        f"--workdir={tmp_path}/early",
    )
    assert early.returncode == 1
    assert "not all prepared yet" in early.stderr
    assert "Traceback" not in early.stderr

    result = programs.run("prepare.py", *arguments(images, killed))
    assert result.returncode == 0, result.stderr
    assert contents(killed) == contents(whole)

    run = programs.run(
        "pretrain.py",
        *programs.TINY,
        f"--dataset=tfrecord:{killed}/*.tfrecord",
        f"--workdir={tmp_path}/run",
        "--train_steps=2",
        "--depth=1",
    )
    assert run.returncode == 0, run.stderr
    assert "56 training images" in run.stderr
    assert programs.checkpoints(tmp_path / "run") == ["step-00000002"]


@pytest.mark.slow
def test_mistakes_and_damage_are_one_sentence(images, tmp_path):
    def prepare(*more):
        result = programs.run(
            "prepare.py", *arguments(images, tmp_path / "out", *more)
        )
        assert "Traceback" not in result.stderr
        return result

    assert "Unknown command line flag 'image_size'" in (
        prepare("--image_size=32").stderr
    )
    assert not (tmp_path / "out").exists()
    assert prepare().returncode == 0
    other = prepare("--quality=80")
    assert other.returncode == 1
    assert "Then: quality=90. Received: quality=80." in other.stderr

    shard = tmp_path / "out" / "train-00003-of-00015.tfrecord"
    changed = bytearray(shard.read_bytes())
    changed[-100] ^= 1
    shard.write_bytes(changed)
    again = prepare()
    assert again.returncode == 1
    assert f"{shard} has other content than" in again.stderr
    os.truncate(shard, 900)
    run = programs.run(
        "pretrain.py",
        *programs.TINY,
        f"--dataset=tfrecord:{tmp_path}/out/*.tfrecord",
        f"--workdir={tmp_path}/run",
    )
    assert run.returncode == 1
    assert f"{shard} has 900 bytes, not {len(changed)}" in run.stderr

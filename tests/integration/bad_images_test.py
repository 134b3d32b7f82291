"""Bad images and damaged records, met by the real programs."""

import shutil
import time

import numpy as np
import pytest
import tensorflow as tf

from tests.integration import programs

# Every program takes a start of TensorFlow and more than one trace.
pytestmark = pytest.mark.slow

NUM_IMAGES = 60  # of which 20, 40 and 60 are held out
SMALL = (
    *programs.TINY,
    "--depth=1",
    "--global_batch_size=8",
    "--train_epochs=4",
    "--train_steps=24",
    "--picture_every_steps=1000",
    "--keep_checkpoints=99",
)


def picture(number):
    pixels = np.random.RandomState(number).randint(0, 256, (36, 40, 3))
    return tf.io.encode_jpeg(pixels.astype(np.uint8)).numpy()


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """A folder with four bad images, one of them held out."""
    folder = tmp_path_factory.mktemp("images")
    for number in range(NUM_IMAGES):
        (folder / f"{number:02d}.jpg").write_bytes(picture(number))
    cut_off = folder / "07.jpg"
    cut_off.write_bytes(cut_off.read_bytes()[:900])
    (folder / "30.jpg").write_text("<html>not found</html>")
    (folder / "39.jpg").write_text("held out")  # the 40th
    (folder / "58.jpg").write_bytes(b"")
    return folder


def run(workdir, dataset, *arguments, program="pretrain.py"):
    return programs.run(
        program,
        *(SMALL if program == "pretrain.py" else ()),
        f"--dataset={dataset}",
        f"--workdir={workdir}",
        *arguments,
    )


@pytest.fixture(scope="module")
def finished(mixed, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("finished")
    return workdir, run(workdir, f"folder:{mixed}")


def assert_one_plain_error(result):
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert result.stderr.count("Error: ") == 1


def test_bad_images_are_named_once_replaced_and_counted(mixed, finished):
    workdir, result = finished
    assert result.returncode == 0, result.stderr
    for name in ("07.jpg", "30.jpg", "39.jpg", "58.jpg"):
        assert result.stderr.count(f"Bad image {mixed / name}: ") == 1
    assert result.stderr.count("Bad image ") == 4
    assert "3 of the 57 images" in result.stderr
    assert "1 of the 3 images" in result.stderr
    assert result.stderr.count("others took their place") == 2
    assert programs.checkpoints(workdir)[-1] == "step-00000024"


def test_a_killed_run_ends_at_too_many_which_a_higher_cap_continues(
    mixed, finished, tmp_path
):
    reference, _ = finished
    dataset, workdir = f"folder:{mixed}", tmp_path / "run"
    programs.copy_as_killed(reference, workdir, 5)
    result = run(workdir, dataset, "--max_bad_images=2")
    assert_one_plain_error(result)
    assert "from step 5." in result.stderr
    assert "3 of the 57 images" in result.stderr
    assert "at most 2 may be" in result.stderr
    assert "check_data.py" in result.stderr
    names = programs.checkpoints(workdir)
    step = int(names[-1][len("step-") :])
    assert 5 < step < 24

    result = run(workdir, dataset, "--max_bad_images=3")
    assert result.returncode == 0, result.stderr
    assert f"from step {step}." in result.stderr
    assert "is not what it was" not in result.stderr
    programs.assert_same_state(reference, workdir, 24)
    assert programs.rows(workdir) == programs.rows(reference)


def test_a_folder_of_bad_images_alone_is_one_error(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(9):
        (folder / f"{number}.jpg").write_text("not an image")
    dataset = f"folder:{folder}"
    for arguments in ([], ["--validation_split="]):
        result = run(
            tmp_path / "run", dataset, "--max_bad_images=50", *arguments
        )
        assert_one_plain_error(result)
        assert f"{folder}/" in result.stderr
        assert "at least one must be good" in result.stderr


def test_evaluation_ends_at_a_bad_image_and_names_it(tmp_path):
    folder = tmp_path / "images"
    for number in range(40):
        path = folder / str(number % 2) / f"{number:02d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(number))
    dataset = f"folder:{folder}"
    # The split holds back files of one class alone.
    shutil.copytree(folder, folder / "train")
    shutil.copytree(folder / "train", folder / "test")
    workdir = tmp_path / "run"
    assert run(workdir, dataset, "--train_steps=5").returncode == 0
    path = folder / "test" / "1" / "33.jpg"
    path.write_bytes(path.read_bytes()[:900])
    result = run(workdir, dataset, program="evaluate.py")
    assert_one_plain_error(result)
    assert str(path) in result.stderr
    assert not (workdir / "evaluation.json").exists()


def write_records(path, numbers):
    with tf.io.TFRecordWriter(str(path)) as writer:
        for number in numbers:
            image = tf.train.BytesList(value=[picture(number)])
            features = tf.train.Features(
                feature={"image/encoded": tf.train.Feature(bytes_list=image)}
            )
            example = tf.train.Example(features=features)
            writer.write(example.SerializeToString())


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_damaged_record_is_named_in_either_split(tmp_path, split):
    for shard in range(3):
        write_records(
            tmp_path / f"data-{shard}", range(shard * 20, shard * 20 + 20)
        )
    if split == "test":
        write_records(tmp_path / "held-0", range(6))
    damaged = tmp_path / ("held-0" if split == "test" else "data-1")
    contents = bytearray(damaged.read_bytes())
    contents[len(contents) - 200] ^= 1  # in the last record
    damaged.write_bytes(contents)
    result = run(
        tmp_path / "run",
        f"tfrecord:{tmp_path}/data-*",
        *(
            [f"--validation_dataset=tfrecord:{tmp_path}/held-*"]
            if split == "test"
            else ["--validation_split="]
        ),
    )
    assert_one_plain_error(result)
    record = 5 if split == "test" else 19
    assert f"{damaged}: record {record}, at byte " in result.stderr


def test_records_lost_in_mid_run_end_it_with_a_checkpoint(tmp_path):
    # More than is read ahead, so that the end of the file is read late.
    for shard in range(2):
        write_records(tmp_path / f"data-{shard}", list(range(60)) * 20)
    workdir, stderr = tmp_path / "run", tmp_path / "stderr"
    process = programs.start(
        "pretrain.py",
        *SMALL,
        "--train_epochs=400",
        "--train_steps=100000",
        f"--dataset=tfrecord:{tmp_path}/data-*",
        f"--workdir={workdir}",
        # Held-out records lie in the same files; an error there saves nothing.
        "--validation_split=",
        "--checkpoint_every_steps=40",
        stderr=stderr,
    )
    try:
        deadline = time.monotonic() + 300
        while not (workdir / "checkpoints" / "step-00000040").exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.005)
        write_records(tmp_path / "short", range(60))
        (tmp_path / "short").rename(tmp_path / "data-1")
        assert process.wait(300) == 1
    finally:
        process.kill()
        process.wait()
    log = stderr.read_text()
    assert f"{tmp_path}/data-1 has 60 records of 1200" in log
    assert "Traceback" not in log
    assert programs.checkpoints(workdir)[-1] > "step-00000040"


def test_a_folder_that_has_changed_since_is_one_warning(
    mixed, finished, tmp_path
):
    reference, _ = finished
    workdir = tmp_path / "run"
    programs.copy_as_killed(reference, workdir, 20)
    added = mixed / "60.jpg"
    added.write_bytes(picture(60))
    try:
        result = run(workdir, f"folder:{mixed}", "--train_steps=21")
    finally:
        added.unlink()
    assert result.returncode == 0, result.stderr
    warning = "is not what it was when the checkpoint was saved (then: 57"
    assert result.stderr.count(warning) == 1

"""check_data.py as a user runs it, and training held to its manifest."""

import os
import signal
import subprocess
import time

import pytest

from tests.data.inspection import odd_files
from tests.integration import programs

JPEG = odd_files.encoded()
# Twenty-two photographs in two classes.
FOLDER = {
    f"{'ab'[n % 2]}/{n:02}.png": odd_files.encoded("PNG", seed=n)
    for n in range(22)
}


def check(cwd, *arguments):
    result = programs.run("check_data.py", *arguments, cwd=cwd)
    assert "Traceback" not in result.stderr
    return result


@pytest.mark.slow
def test_bad_files_are_listed_and_end_in_exit_code_2(tmp_path):
    files = {
        **FOLDER,
        "a/cut.jpg": JPEG[:-50],
        "a/page.jpg": b"<html>",
        b"b/\xff\n.jpg": b"",
        "b/turned.jpg": odd_files.turned(),
        "b/notes.txt": b"",
    }
    odd_files.write(tmp_path / "pets", files)
    result = check(tmp_path, "folder:pets", "--show=9")
    assert result.returncode == 2
    for line in (
        "folder:pets: 26 images",
        "       1  cut off: the image does not end",
        "    pets/a/page.jpg  a web page, 6 bytes",
        r"    pets/b/\xff\x0a.jpg",
        "    pets/b/turned.jpg  orientation 6",
        "Train on its good files with --data_manifest=pets.manifest.jsonl",
    ):
        assert line in result.stdout
    assert result.stdout.endswith("\nNot clean: 3 bad images.\n")
    assert result.stderr == ""

    # Flags first, and the same bytes again.
    manifest = tmp_path / "pets.manifest.jsonl"
    before = manifest.read_bytes()
    again = check(
        tmp_path,
        "--report=all.txt",
        "--show",
        "0",
        "--workers=1",
        "folder:pets",
    )
    assert again.returncode == 2
    assert manifest.read_bytes() == before
    assert "page.jpg" not in again.stdout
    assert "    pets/a/page.jpg" in (tmp_path / "all.txt").read_text()
    assert sorted(os.listdir(tmp_path)) == [
        "all.txt",
        "pets",
        "pets.manifest.jsonl",
    ]


@pytest.mark.slow
def test_odd_files_are_clean(tmp_path):
    files = {**FOLDER, "a/odd.jpg": odd_files.encoded(mode="CMYK")}
    odd_files.write(tmp_path / "pets", files)
    result = check(tmp_path, "pets", "--manifest=")
    assert result.returncode == 0
    assert "pets/a/odd.jpg" in result.stdout
    assert "\n\nClean: " in result.stdout
    assert "\n\n\n" not in result.stdout
    assert os.listdir(tmp_path) == ["pets"]


@pytest.mark.slow
def test_images_in_train_and_validation_are_not_clean(tmp_path):
    odd_files.write(tmp_path / "pets", FOLDER)
    odd_files.write(
        tmp_path / "held_out",
        {"x.png": FOLDER["a/02.png"], "y.jpg": JPEG, "z.jpg": JPEG},
    )
    result = check(tmp_path, "pets", "--validation_dataset=held_out")
    assert result.returncode == 2
    assert "held_out/x.png  = pets/a/02.png" in result.stdout
    assert "held_out/z.jpg  = held_out/y.jpg" in result.stdout
    assert "22 for train, 3 for validation" in result.stdout
    assert "Not clean: 1 image in both train" in result.stdout


@pytest.mark.parametrize(
    "arguments, message",
    [
        ([], "Name one source to check"),
        (["folder:nowhere"], "nowhere"),
        (["builtin:digit"], "builtin:digits"),
        (["tfrecord:none*"], "no file matches"),
        (["builtin:digits", "--manifest=x"], "--manifest is for a folder"),
        (["none/pets"], "`none/pets` needs a folder of images, and there"),
        (["builtin:digits", "--report=none/x"], "--report must be a new file"),
        (
            ["builtin:digits", "--split=all", "--channels=3"],
            "Received: --split, --channels.",
        ),
        (
            ["builtin:digits", "--validation_split=all"],
            "Received: --validation_split=all.",
        ),
    ],
)
@pytest.mark.slow
def test_mistakes_end_in_exit_code_1_and_a_sentence(
    arguments, message, tmp_path
):
    result = check(tmp_path, *arguments)
    assert result.returncode == 1
    assert message in result.stderr + result.stdout
    assert os.listdir(tmp_path) == []


@pytest.mark.slow
def test_a_report_takes_the_place_of_no_file(tmp_path):
    odd_files.write(tmp_path, {"pets/0.jpg": JPEG, "notes.txt": b"mine"})
    for name in ("notes.txt", "pets", "pets.manifest.jsonl"):
        result = check(tmp_path, "pets", f"--report={name}")
        assert result.returncode == 1
        assert "--report must be a new file" in result.stderr
        assert f"Received: {name}." in result.stderr
    assert (tmp_path / "notes.txt").read_bytes() == b"mine"
    assert sorted(os.listdir(tmp_path)) == ["notes.txt", "pets"]


@pytest.mark.slow
def test_an_empty_validation_split_holds_nothing_out(tmp_path):
    odd_files.write(tmp_path / "pets", FOLDER)
    result = check(tmp_path, "pets", "--validation_split=", "--manifest=")
    assert result.returncode == 0
    assert "22 for train, 0 for validation" in result.stdout


@pytest.mark.slow
def test_a_reader_that_stops_early_changes_nothing(tmp_path):
    odd_files.write(tmp_path / "pets", {**FOLDER, "a/cut.jpg": JPEG[:-50]})
    process = subprocess.Popen(
        programs.command("check_data.py", "pets", "--report=all.txt"),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=60) == 2
    assert errors == ""
    assert "cut.jpg" in (tmp_path / "all.txt").read_text()


@pytest.mark.slow
def test_a_report_that_cannot_be_printed_is_an_error(tmp_path):
    process = programs.start(
        "check_data.py",
        "builtin:digits",
        stdout="/dev/full",
        stderr=tmp_path / "stderr",
    )
    assert process.wait(120) == 1
    text = (tmp_path / "stderr").read_text()
    assert "Error: what was printed could not be written (" in text
    assert "No space left on device" in text and "Traceback" not in text


@pytest.mark.slow
def test_ctrl_c_leaves_no_manifest(tmp_path):
    odd_files.write(tmp_path / "pets", {"0.jpg": JPEG})
    for number in range(1, 20000):
        os.link(tmp_path / "pets/0.jpg", tmp_path / f"pets/{number}.jpg")
    process = subprocess.Popen(
        [
            *programs.HEEDING_CTRL_C,
            *programs.command("check_data.py", "folder:pets"),
        ],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    # The manifest is being written while files are examined.
    while len(os.listdir(tmp_path)) == 1:
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert output == ""
    assert os.listdir(tmp_path) == ["pets"]


@pytest.mark.slow
def test_training_is_held_to_the_manifest(tmp_path):
    odd_files.write(tmp_path / "pets", {**FOLDER, "a/cut.jpg": JPEG[:-50]})
    assert check(tmp_path, "folder:pets").returncode == 2
    flags = [
        *programs.TINY,
        f"--dataset=folder:{tmp_path}/pets",
        "--train_epochs=2",
        "--workdir=run",
    ]
    held = f"--data_manifest={tmp_path}/pets.manifest.jsonl"

    def pretrain(*arguments):
        return programs.run("pretrain.py", *flags, *arguments, cwd=tmp_path)

    first = pretrain(held)
    assert first.returncode == 0, first.stderr
    # Of 23 files, one of each class is held out, and one is bad.
    assert "20 training images" in first.stderr
    assert "2 of 23 images (a 1 of 12, b 1 of 11)." in first.stderr
    assert held in (tmp_path / "run/flags.txt").read_text()
    assert "cut.jpg" not in first.stderr

    without = pretrain("--train_epochs=3")
    assert without.returncode == 1
    assert "continues with the settings that it began with" in without.stderr
    assert "--data_manifest" in without.stderr

    # Another image, of the same size in bytes.
    path = tmp_path / "pets/b/03.png"
    other = odd_files.encoded("PNG", seed=99)
    size = path.stat().st_size
    path.write_bytes(other[:size].ljust(size, b"\0"))
    replaced = pretrain(held, "--workdir=second")
    assert "pets/b/03.png" in replaced.stderr

    path.write_bytes(other + bytes(size))
    refused = pretrain(held, "--workdir=third")
    assert refused.returncode == 1
    assert "1 of another size ('b/03.png')" in refused.stderr
    assert "check_data.py" in refused.stderr
    assert "Traceback" not in refused.stderr

"""A disk that fills up: a real limit on files, and a real small disk."""

import contextlib
import subprocess
import time

import pytest

from tests.integration import programs
from tests.integration import warm_interpreter

# Every program takes a start of TensorFlow and more than one trace.
pytestmark = pytest.mark.slow

SMALL = (*programs.TINY, "--depth=1")
LIMITED = """
import resource, runpy, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
limit = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
sys.argv = sys.argv[2:]
sys.path.insert(0, sys.argv[0].rpartition("/")[0])
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def pretrain_with_limit(workdir, num_bytes, *arguments):
    """Runs the program where no file may grow beyond a number of bytes."""
    script = workdir.with_name("limited.py")
    script.write_text(LIMITED)
    program = programs.ROOT / "experiments" / "pretrain.py"
    return warm_interpreter.run(
        [
            *(script, num_bytes, program, *SMALL, f"--workdir={workdir}"),
            *arguments,
        ],
        programs.ROOT,
        900,
    )


def test_checkpoints_that_fail_end_the_run_at_the_third(tmp_path):
    workdir = tmp_path / "run"
    programs.pretrain(workdir, "--depth=1", "--train_steps=5")
    before = programs.tensors(workdir, 5)
    # All but the checkpoints' data is smaller.
    size = max(
        path.stat().st_size
        for path in (workdir / "checkpoints/step-00000005").iterdir()
    )
    result = pretrain_with_limit(workdir, size - 1, "--train_steps=30")
    assert result.returncode == 1, result.stderr
    for text in ("failure 1 of", "failure 2 of", "step 20 could not be"):
        assert text in result.stderr
    assert "Traceback" not in result.stderr
    assert programs.checkpoints(workdir) == ["step-00000005"]
    after = programs.tensors(workdir, 5)
    assert all((after[name] == before[name]).all() for name in before)
    assert [row["step"] for row in programs.rows(workdir)][-1] == 20


def test_a_run_that_ends_without_a_checkpoint_fails(tmp_path):
    workdir = tmp_path / "run"
    result = pretrain_with_limit(workdir, 50_000, "--train_steps=3")
    assert result.returncode == 1, result.stderr
    assert "step 3 could not be written" in result.stderr
    assert programs.checkpoints(workdir) == []


@pytest.fixture
def small_disk(tmp_path):
    """A disk of its own with room for 20 MB, where the user may mount one."""
    path = tmp_path / "disk"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", str(path)]
    try:
        result = subprocess.run(mount, capture_output=True, check=False)
    except OSError:
        pytest.skip("there is no mount(8)")
    if result.returncode:
        pytest.skip("this user may not mount a disk")
    yield path
    subprocess.run(["umount", "--lazy", str(path)], check=True)


def wait_for(path, process):
    """Waits until a running process has made a file or folder."""
    deadline = time.monotonic() + 300
    while not path.exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)


def fill(path):
    """Fills a disk to the last byte, through the file `path`."""
    with open(path, "ab", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass


def test_a_disk_that_fills_up_leaves_what_was_there_and_no_litter(
    small_disk, tmp_path
):
    workdir, filler = small_disk / "run", small_disk / "filler"
    arguments = (f"--workdir={workdir}", "--train_steps=2000")
    stderr = tmp_path / "stderr"
    process = programs.start("pretrain.py", *SMALL, *arguments, stderr=stderr)
    try:
        wait_for(workdir / "checkpoints/step-00000005", process)
        while process.poll() is None:
            fill(filler)  # again, when an old file was removed
        code = process.returncode
    finally:
        process.kill()
        process.wait()
    log = stderr.read_text(encoding="utf-8")
    assert code == 1, log
    assert "Traceback" not in log
    assert "failure 2 of at most 3" in log and "Error: The checkpoint" in log
    names = programs.checkpoints(workdir)
    assert names and all(name.startswith("step-") for name in names)
    assert not list(workdir.glob(".*"))

    # A new start says at once what is wrong, and goes on when there is room.
    last = int(names[-1].removeprefix("step-"))
    again = (*SMALL, f"--workdir={workdir}")
    more = f"--train_steps={last + 2}"
    result = programs.run("pretrain.py", *again, more)
    assert result.returncode == 1
    assert "must have room for two checkpoints" in result.stderr
    filler.unlink()
    result = programs.run("pretrain.py", *again, more)
    assert result.returncode == 0, result.stderr
    assert f"from step {last}." in result.stderr

    whole = tmp_path / "whole"
    programs.pretrain(whole, "--depth=1", more)
    programs.assert_same_state(whole, workdir, last + 2)


def test_a_run_recovers_when_there_is_room_again(small_disk, tmp_path):
    workdir, filler = small_disk / "run", small_disk / "filler"
    long = (
        *("--depth=1", "--train_epochs=4", "--train_steps=240"),
        *("--checkpoint_every_steps=60", "--validate_every_steps=60"),
        "--picture_every_steps=1000",
    )
    stderr = tmp_path / "stderr"
    process = programs.start(
        "pretrain.py",
        *programs.TINY,
        *long,
        f"--workdir={workdir}",
        stderr=stderr,
    )
    try:
        wait_for(workdir / "checkpoints/step-00000060", process)
        while "failure 1 of" not in stderr.read_text(encoding="utf-8"):
            assert process.poll() is None
            fill(filler)
            time.sleep(0.01)
        filler.unlink()
        code = process.wait(300)
    finally:
        process.kill()
        process.wait()
    log = stderr.read_text(encoding="utf-8")
    assert code == 0, log
    assert "failure 2 of" not in log
    assert programs.checkpoints(workdir)[-1] == "step-00000240"

    whole = tmp_path / "whole"
    programs.pretrain(whole, *long)
    programs.assert_same_state(whole, workdir, 240)
    assert programs.rows(workdir) == programs.rows(whole)

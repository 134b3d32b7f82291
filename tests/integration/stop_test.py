"""Real signals to the real program, and a second program in its folder."""

import contextlib
import re
import signal
import subprocess
import time

import pytest

from tests.integration import programs

STEPS = "--train_steps=60"
ARGUMENTS = (*programs.TINY, STEPS, "--checkpoint_every_steps=100")


@contextlib.contextmanager
def training(workdir, *arguments):
    """Starts a run and waits until it has taken a few steps."""
    with open(f"{workdir}.stderr", "w+", encoding="utf-8") as stderr:
        process = subprocess.Popen(
            programs.command(
                "pretrain.py", *ARGUMENTS, f"--workdir={workdir}", *arguments
            ),
            cwd=programs.ROOT,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
        )
        try:
            wait_for_row(workdir / "metrics.jsonl", process)
            yield process
        finally:
            process.kill()
            process.wait()


def wait_for_row(metrics, process):
    deadline = time.monotonic() + 300
    while not (metrics.exists() and metrics.stat().st_size):
        assert process.poll() is None, "it ended before its first row"
        assert time.monotonic() < deadline, "no row in five minutes"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("whole")
    programs.pretrain(workdir, STEPS)
    return workdir


@pytest.mark.slow
@pytest.mark.parametrize(
    "number, code",
    [(signal.SIGTERM, 143), (signal.SIGINT, 130)],
)
def test_a_stopped_run_saves_and_goes_on_bit_for_bit(
    whole, tmp_path, number, code
):
    workdir = tmp_path / "run"
    with training(workdir) as process:
        process.send_signal(number)
        assert process.wait(120) == code
    stderr = (tmp_path / "run.stderr").read_text()
    assert "Traceback" not in stderr
    stopped_at = int(re.search(r"ending after step (\d+)", stderr)[1])
    assert 4 <= stopped_at < 60
    assert programs.checkpoints(workdir) == [f"step-{stopped_at:08d}"]

    result = programs.pretrain(workdir, STEPS)
    assert f"from step {stopped_at}." in result.stderr
    assert "not bit-exact" not in result.stderr
    programs.assert_same_state(whole, workdir, 60)
    assert programs.rows(workdir) == programs.rows(whole)


@pytest.mark.slow
def test_a_second_signal_in_the_middle_of_a_save_harms_nothing(whole, tmp_path):
    workdir = tmp_path / "run"
    with training(workdir) as process:
        process.send_signal(signal.SIGTERM)
        while process.poll() is None and not programs.checkpoints(workdir):
            pass  # a folder tmp-... is there for some hundredths of a second
        process.send_signal(signal.SIGTERM)
        # 143 where the save was quicker than this test.
        assert process.wait(120) in (-signal.SIGTERM, 143)
    programs.pretrain(workdir, STEPS)
    programs.assert_same_state(whole, workdir, 60)
    assert programs.rows(workdir) == programs.rows(whole)
    names = programs.checkpoints(workdir)
    assert all(name.startswith("step-") for name in names)


@pytest.mark.slow
def test_a_second_trainer_is_refused_and_the_first_is_undisturbed(tmp_path):
    workdir = tmp_path / "run"
    with training(workdir, "--train_steps=100000") as process:
        flags = (workdir / "flags.txt").read_bytes()
        result = programs.run("pretrain.py", *ARGUMENTS, f"--workdir={workdir}")
        assert result.returncode == 1
        assert "Traceback" not in result.stderr
        assert f"{workdir}, where process {process.pid} " in result.stderr
        assert (workdir / "flags.txt").read_bytes() == flags
        assert process.poll() is None


@pytest.mark.slow
def test_other_settings_of_the_operations_are_one_warning(tmp_path):
    programs.pretrain(tmp_path, "--train_steps=2")
    result = programs.pretrain(
        tmp_path, "--train_steps=3", TF_ENABLE_ONEDNN_OPTS="0"
    )
    assert result.stderr.count("not bit-exact") == 1
    assert "TF_ENABLE_ONEDNN_OPTS (was 1, is 0)" in result.stderr

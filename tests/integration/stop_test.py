"""Real signals to the real program, and a second program in its folder."""

import contextlib
import re
import shutil
import signal
import time

import pytest

from tests.integration import programs

pytestmark = pytest.mark.slow

ARGUMENTS = (
    *("--depth=1", "--train_steps=80"),
    *("--checkpoint_every_steps=1000", "--keep_checkpoints=99"),
)


@contextlib.contextmanager
def training(workdir):
    """Starts a run and waits until it has taken a few steps."""
    metrics = workdir / "metrics.jsonl"
    before = metrics.stat().st_size if metrics.exists() else 0
    process = programs.start(
        "pretrain.py",
        *programs.TINY,
        *ARGUMENTS,
        f"--workdir={workdir}",
        stderr=f"{workdir}.stderr",
    )
    try:
        deadline = time.monotonic() + 300
        while not (metrics.exists() and metrics.stat().st_size > before):
            assert process.poll() is None, "it ended before its first row"
            assert time.monotonic() < deadline, "no row in five minutes"
            time.sleep(0.01)
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("whole")
    programs.pretrain(workdir, *ARGUMENTS)
    return workdir


def refuse_a_second_trainer(workdir, process):
    flags = (workdir / "flags.txt").read_bytes()
    arguments = (*programs.TINY, *ARGUMENTS, f"--workdir={workdir}")
    result = programs.run("pretrain.py", *arguments)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert f"{workdir}, where process {process.pid} " in result.stderr
    assert (workdir / "flags.txt").read_bytes() == flags


def test_a_run_stopped_by_each_signal_and_in_a_save_ends_bit_for_bit(
    whole, tmp_path
):
    workdir = tmp_path / "run"
    stops = []
    for number, code in (
        *((signal.SIGTERM, 143), (signal.SIGINT, 130)),
        (signal.SIGHUP, 129),
    ):
        with training(workdir) as process:
            if not stops:
                # It stands still, so that it is there all the while.
                process.send_signal(signal.SIGSTOP)
                refuse_a_second_trainer(workdir, process)
                process.send_signal(signal.SIGCONT)
                assert process.poll() is None
            process.send_signal(number)
            assert process.wait(120) == code
        stderr = (tmp_path / "run.stderr").read_text()
        assert "Traceback" not in stderr
        if stops:
            assert f"from step {stops[-1]}." in stderr
            assert "not bit-exact" not in stderr
        stops.append(int(re.search(r"ending after step (\d+)", stderr)[1]))
        names = [f"step-{step:08d}" for step in stops]
        assert programs.checkpoints(workdir) == names

    # A second signal in the middle of a save harms nothing.
    with training(workdir) as process:
        process.send_signal(signal.SIGTERM)
        while process.poll() is None and programs.checkpoints(workdir) == names:
            pass  # a folder tmp-... is there for some hundredths of a second
        process.send_signal(signal.SIGTERM)
        # 143 where the save was quicker than this test.
        assert process.wait(120) in (-signal.SIGTERM, 143)
    assert 4 <= stops[0] < stops[1] < stops[2] < 80

    result = programs.pretrain(workdir, *ARGUMENTS)
    assert "not bit-exact" not in result.stderr
    programs.assert_same_state(whole, workdir, 80)
    assert programs.rows(workdir) == programs.rows(whole)
    names = programs.checkpoints(workdir)
    assert all(name.startswith("step-") for name in names)


def test_other_settings_of_the_operations_are_one_warning(whole, tmp_path):
    workdir = tmp_path / "run"
    shutil.copytree(whole, workdir)
    result = programs.pretrain(
        workdir, *ARGUMENTS, "--train_steps=81", TF_ENABLE_ONEDNN_OPTS="0"
    )
    assert result.stderr.count("not bit-exact") == 1
    assert "TF_ENABLE_ONEDNN_OPTS (was 1, is 0)" in result.stderr

"""What fails in mid-run, for real, and what training makes of it."""

import json
import os
import shutil
import textwrap

import pytest

from tests.integration import programs
from tests.integration import warm_interpreter

# Every program takes a start of TensorFlow and more than one trace.
pytestmark = pytest.mark.slow

SMALL = ("--depth=1", "--train_steps=21", "--keep_checkpoints=99")
# Calls `fault(step, callback)` before a row of metrics is made.
_FAULTY = """
import os, pathlib, runpy, shutil, signal, sys

program, workdir = sys.argv[1], pathlib.Path(sys.argv[2])
sys.argv = sys.argv[1:2] + sys.argv[3:]
sys.path.insert(0, program.rpartition("/")[0])

from tf_simmim.training import callbacks
make_row = callbacks.MetricsLog.at_step

def at_step(self, step, logs):
    fault(step, self)
    return make_row(self, step, logs)

callbacks.MetricsLog.at_step = at_step

{fault}
runpy.run_path(program, run_name="__main__")
"""


def pretrain_with(fault, workdir, *arguments, stderr=None, **environment):
    """Runs the program with a function that makes faults; returns its code."""
    script = workdir.with_name(f"{workdir.name}_faulty.py")
    script.write_text(_FAULTY.format(fault=textwrap.dedent(fault)))
    program = programs.ROOT / "experiments" / "pretrain.py"
    process = warm_interpreter.start(
        [
            *(script, program, workdir, *programs.TINY, *SMALL),
            *(f"--workdir={workdir}", *arguments),
        ],
        programs.ROOT,
        *(stderr or "/dev/full",) * 2,
        **environment,
    )
    return process.wait(300)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("whole")
    programs.pretrain(workdir, *SMALL)
    return workdir


def assert_same_run(whole, workdir):
    programs.assert_same_state(whole, workdir, 21)
    assert programs.rows(workdir) == programs.rows(whole)


def test_nothing_dispensable_ends_a_run_or_changes_it(whole, tmp_path):
    """A log on a full disk from the start; then one thing after the other."""
    fault = """
        handles = []
        fsync = os.fsync

        def fault(step, log):
            if step == 4:
                shutil.rmtree(workdir / "reconstructions")
                shutil.rmtree(workdir / "tensorboard")

                def fail_once(descriptor):
                    os.fsync = fsync
                    raise OSError(5, "Input/output error")

                os.fsync = fail_once
            if step == 12:  # rows, pictures, the checkpoint of step 15
                try:
                    while True:
                        handles.append(os.open(os.devnull, os.O_RDONLY))
                except OSError:
                    pass
            if step == 16:
                for handle in handles:
                    os.close(handle)
    """
    workdir = tmp_path / "run"
    assert pretrain_with(fault, workdir) == 0
    assert_same_run(whole, workdir)
    # Made again after they were removed; that of step 16 had no file handle.
    names = {path.name for path in (workdir / "reconstructions").iterdir()}
    assert names == {"step-00000008.png", "step-00000021.png"}
    assert programs.checkpoints(workdir) == [
        *("step-00000005", "step-00000010", "step-00000020"),
        "step-00000021",
    ]


def test_any_error_leaves_the_last_whole_step(whole, tmp_path):
    """In a callback behind the checkpoints, and in validation."""
    workdir, log = tmp_path / "run", tmp_path / "log"
    fault = """
        class Broken(callbacks.GracefulStop):
            def on_train_batch_end(self, batch, logs=None):
                super().on_train_batch_end(batch, logs)
                if self.model.optimizer.iterations == 7:
                    raise LookupError("no such key")

        callbacks.GracefulStop = Broken

        def fault(step, log):
            pass
    """
    assert pretrain_with(fault, workdir, stderr=log) == 1
    text = log.read_text()
    assert "The checkpoint of step 7 is saved" in text
    assert "LookupError: no such key" in text and "Traceback" in text
    assert programs.checkpoints(workdir)[-1] == "step-00000007"

    fault = """
        def fault(step, log):
            def evaluate(*args, **kwargs):
                log.model.reset_metrics()
                raise MemoryError
            log.model.evaluate = evaluate
    """
    assert pretrain_with(fault, workdir, stderr=log) == 1
    text = log.read_text()
    assert "Error: There is not enough memory" in text
    assert "The checkpoint of step 8 is saved" in text
    assert "Traceback" not in text
    assert [row["step"] for row in programs.rows(workdir)] == [4]

    # The row of step 8 is made when training goes on.
    programs.pretrain(workdir, *SMALL)
    assert_same_run(whole, workdir)


def test_a_run_goes_on_without_its_rows_and_holds_to_its_settings(
    whole, tmp_path
):
    workdir = tmp_path / "run"
    programs.copy_as_killed(whole, workdir, 15)
    # A pipe for a manifest, which no reader may wait at.
    manifest = workdir / "checkpoints" / "step-00000015" / "manifest.json"
    manifest.unlink()
    os.mkfifo(manifest)
    metrics = workdir / "metrics.jsonl"
    lines = metrics.read_text().splitlines(keepends=True)
    metrics.write_text(lines[0] + "half a row, and no\n" + lines[1])
    for name in ("flags.txt", "run.json"):
        (workdir / name).unlink()

    command = ("pretrain.py", *programs.TINY, *SMALL, f"--workdir={workdir}")
    result = programs.run(*command, "--base_learning_rate=1e-3")
    assert result.returncode == 1 and "Traceback" not in result.stderr
    assert "continues with the settings that it began with" in result.stderr

    result = programs.run(*command)
    assert result.returncode == 0, result.stderr
    assert "step-00000015 is damaged" in result.stderr
    assert f"{metrics} is damaged" in result.stderr
    assert "Renamed to corrupt-metrics.jsonl; the 2 rows" in result.stderr
    programs.assert_same_state(whole, workdir, 21)
    assert programs.rows(workdir) == programs.rows(whole)

    # No checkpoints, and fewer steps than one every 1,000.
    shutil.rmtree(workdir / "checkpoints")
    before = metrics.read_bytes()
    result = programs.run(*command, "--checkpoint_every_steps=1000")
    assert result.returncode == 1 and "Traceback" not in result.stderr
    assert "bring the checkpoints back" in result.stderr
    assert metrics.read_bytes() == before
    mark = json.loads((workdir / "committed.json").read_text())
    assert mark == {"first_checkpoint": 5}

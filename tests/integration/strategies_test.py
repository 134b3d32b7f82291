"""One run on one device, on two, and on two workers: the same numbers."""

import shutil
import signal
import time

import numpy as np
import pytest
import tensorflow as tf

from tests.integration import cluster
from tests.integration import programs

# Every program takes a start of TensorFlow and more than one trace.
pytestmark = pytest.mark.slow

# Float32 sums in another order; measured below 1e-7.
ATOL = 1e-6
MIRRORED = ("--strategy=mirrored", "--num_cpu_replicas=2")
# A checkpoint in the middle of a logging interval, and the next one.
STEP = 10
LAST = 15


@pytest.fixture(scope="module")
def flags(tmp_path_factory):
    """A folder with two classes of digits, and long enough runs on it."""
    images = tmp_path_factory.mktemp("images")
    from sklearn import datasets

    for index, pixels in enumerate(datasets.load_digits().images[:200]):
        path = images / "ab"[index % 2] / f"{index:03}.png"
        path.parent.mkdir(exist_ok=True)
        encoded = tf.io.encode_png(np.uint8(15 * pixels)[..., np.newaxis])
        path.write_bytes(encoded.numpy())
    return (
        f"--dataset=folder:{images}",
        "--train_epochs=20",
        "--num_validation_images=20",
        "--keep_checkpoints=99",
    )


@pytest.fixture(scope="module")
def one(flags, tmp_path_factory):
    """A run of one device."""
    workdir = tmp_path_factory.mktemp("one") / "run"
    programs.pretrain(workdir, *flags, f"--train_steps={STEP + 2}")
    return workdir


@pytest.fixture(scope="module")
def two_workers(flags, tmp_path_factory):
    """A run of two workers, who judge the features too."""
    workdir = tmp_path_factory.mktemp("two_workers") / "run"
    cluster.pretrain(
        workdir,
        *flags,
        f"--train_steps={LAST}",
        "--evaluate_every=8",
    )
    return workdir


def assert_close_weights(workdir, wanted_workdir, step):
    """Compares weights, slots and metrics of two runs at a step."""
    wanted = programs.tensors(wanted_workdir, step)
    got = programs.tensors(workdir, step)
    assert got.keys() == wanted.keys()
    for name, array in wanted.items():
        if array.dtype.kind in "fi":
            np.testing.assert_allclose(
                got[name], array, rtol=0, atol=ATOL, err_msg=name
            )


def assert_close(workdir, wanted_workdir, step):
    """Compares weights, slots, metrics and rows of two runs up to a step."""
    assert_close_weights(workdir, wanted_workdir, step)
    rows, wanted_rows = (
        [row for row in programs.rows(run) if row["step"] <= step]
        for run in (workdir, wanted_workdir)
    )
    assert len(rows) == len(wanted_rows) == step // 4
    for row, wanted_row in zip(rows, wanted_rows, strict=True):
        assert row == pytest.approx(wanted_row, rel=ATOL)


def wait_for_checkpoint(workdir, process):
    """Waits for a checkpoint that is not there yet."""
    folder = workdir / "checkpoints"
    before = list(folder.glob("step-*"))
    deadline = time.monotonic() + 300
    while len(list(folder.glob("step-*"))) == len(before):
        assert process.poll() is None, "it ended before it saved"
        assert time.monotonic() < deadline, "no checkpoint in five minutes"
        time.sleep(0.01)


def test_two_workers_train_like_one_device(one, two_workers):
    assert_close(two_workers, one, STEP)
    # All workers judge the features, and none waits for another for ever.
    assert "knn_block_1" in (two_workers / "metrics.jsonl").read_text()
    names = [f"step-{step:08d}" for step in (5, STEP, LAST)]
    assert programs.checkpoints(two_workers) == names
    assert len(list((two_workers / "reconstructions").iterdir())) == 2
    # The others write nothing, and say little.
    assert "loss" in cluster.log(two_workers, 0)
    assert "loss" not in cluster.log(two_workers, 1)


def test_two_replicas_train_like_one_stop_in_time_and_become_one(
    flags, one, tmp_path
):
    workdir, copy = tmp_path / "run", tmp_path / "copy"
    arguments = (*programs.TINY, *flags, *MIRRORED, f"--workdir={workdir}")
    process = programs.start("pretrain.py", *arguments)
    try:
        wait_for_checkpoint(workdir, process)
        wait_for_checkpoint(workdir, process)
        # Threads of both replicas are reading when the signal comes.
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    finally:
        process.kill()
        process.wait()
    assert_close(workdir, one, STEP)

    programs.copy_as_killed(workdir, copy, STEP)
    result = programs.pretrain(copy, *flags, f"--train_steps={STEP + 2}")
    assert "run on 2 replicas, and there are 1 now" in result.stderr
    assert_close(copy, one, STEP + 2)


def test_workers_accumulate_under_xla_like_one_device(tmp_path):
    options = (
        *("--train_steps=8", "--jit_compile", "--accumulation_steps=2"),
        # What validation takes is compared above.
        *("--depth=1", "--validation_split="),
    )
    one, workdir = tmp_path / "one", tmp_path / "run"
    programs.pretrain(one, *options)
    cluster.pretrain(workdir, *options)
    rows, wanted_rows = programs.rows(workdir), programs.rows(one)
    assert len(rows) == len(wanted_rows) == 2
    for row, wanted_row in zip(rows, wanted_rows, strict=True):
        # XLA adds the errors of a batch one after the other on this kind of
        # device, so that a replica's part rounds differently: measured 1.5e-6.
        assert row == pytest.approx(wanted_row, rel=1e-5)


def test_workers_that_are_lost_or_stopped_go_on_bit_for_bit(
    flags, two_workers, tmp_path
):
    workdir = tmp_path / "run"
    arguments = (*flags, "--train_steps=80")
    # The chief in the middle of a checkpoint, the other one in a step.
    for victim, kill in (
        (0, "during write checkpoints/tmp-N/state 2"),
        (1, ""),
    ):
        with cluster.training(
            workdir, *arguments, kill_chief=kill
        ) as processes:
            if victim:
                wait_for_checkpoint(workdir, processes[0])
                processes[victim].kill()
            assert processes[1 - victim].wait(300) == 1
            assert processes[victim].wait(60) == -signal.SIGKILL
        error = cluster.log(workdir, 1 - victim)
        assert "Traceback" not in error
        assert error.count("has ended or cannot be reached") == 1

    # A signal to one worker stops all, at one step.
    with cluster.training(workdir, *arguments) as processes:
        wait_for_checkpoint(workdir, processes[0])
        processes[1].send_signal(signal.SIGTERM)
        assert [process.wait(60) for process in processes] == [143] * 2
    step = int(programs.checkpoints(workdir)[-1].removeprefix("step-"))
    assert LAST <= step < 80
    for index in range(2):
        assert f"ending after step {step}" in cluster.log(workdir, index)
    assert f"from step {STEP}." in cluster.log(workdir, 0)
    programs.assert_same_state(two_workers, workdir, LAST)
    num_rows = LAST // 4
    wanted_rows = programs.rows(two_workers)[:num_rows]
    assert programs.rows(workdir)[:num_rows] == wanted_rows


def test_what_the_chief_refuses_ends_all(flags, one, tmp_path):
    workdir = tmp_path / "run"
    shutil.copytree(one, workdir)
    with cluster.training(workdir, *flags, "--seed=9") as processes:
        assert [process.wait(120) for process in processes] == [1, 1]
    for index in range(2):
        assert "Traceback" not in cluster.log(workdir, index)
        assert "--seed=9" in cluster.log(workdir, index)

"""One run on one device, on two, and on two workers: the same numbers."""

import signal
import subprocess

import numpy as np
import pytest
import tensorflow as tf
from sklearn import datasets

from tests.integration import cluster
from tests.integration import programs
from tests.integration import stop_test

STEPS = "--train_steps=10"
# Float32 sums in another order; measured below 1e-7.
ATOL = 1e-6
LONG = ("--train_steps=60", "--checkpoint_every_steps=5")


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("one") / "run"
    programs.pretrain(workdir, STEPS)
    return workdir


def assert_close(workdir, wanted_workdir, step):
    """Compares weights, slots, metrics and rows of two runs."""
    wanted = programs.tensors(wanted_workdir, step)
    got = programs.tensors(workdir, step)
    assert got.keys() == wanted.keys()
    for name, array in wanted.items():
        if array.dtype.kind in "fi":
            np.testing.assert_allclose(
                got[name], array, rtol=0, atol=ATOL, err_msg=name
            )
    rows, wanted_rows = programs.rows(workdir), programs.rows(wanted_workdir)
    assert len(rows) == len(wanted_rows)
    for row, wanted_row in zip(rows, wanted_rows, strict=True):
        assert row == pytest.approx(wanted_row, rel=ATOL)


@pytest.mark.slow
def test_two_workers_train_like_one_device(one, tmp_path):
    workdir = tmp_path / "run"
    # All workers judge the features, and none waits for another for ever.
    cluster.pretrain(workdir, STEPS, "--evaluate_every=4")
    assert "knn_block_1" in (workdir / "metrics.jsonl").read_text()
    assert_close(workdir, one, 10)
    assert programs.checkpoints(workdir) == programs.checkpoints(one)
    assert len(list((workdir / "reconstructions").iterdir())) == 2
    # The others write nothing, and say little.
    assert "loss" in cluster.log(workdir, 0)
    assert "loss" not in cluster.log(workdir, 1)


@pytest.mark.slow
def test_two_replicas_train_like_one_and_a_run_changes_strategy(one, tmp_path):
    workdir = tmp_path / "run"
    mirrored = ("--strategy=mirrored", "--num_cpu_replicas=2")
    programs.pretrain(workdir, "--train_steps=3", *mirrored)
    # In the middle of a logging interval.
    result = programs.pretrain(workdir, "--train_steps=7")
    assert "run on 2 replicas, and there are 1 now" in result.stderr
    programs.pretrain(workdir, STEPS, *mirrored)
    wanted = programs.tensors(one, 10)
    for name, array in programs.tensors(workdir, 10).items():
        if array.dtype.kind == "f":
            np.testing.assert_allclose(
                array, wanted[name], rtol=0, atol=ATOL, err_msg=name
            )


@pytest.mark.slow
def test_workers_accumulate_under_xla_like_one_device(tmp_path):
    options = ("--train_steps=8", "--jit_compile", "--accumulation_steps=2")
    one, workdir = tmp_path / "one", tmp_path / "run"
    programs.pretrain(one, *options)
    cluster.pretrain(workdir, *options)
    rows, wanted_rows = programs.rows(workdir), programs.rows(one)
    assert len(rows) == len(wanted_rows) == 2
    for row, wanted_row in zip(rows, wanted_rows, strict=True):
        # XLA adds the errors of a batch one after the other on this kind of
        # device, so that a replica's part rounds differently: measured 1.5e-6.
        assert row == pytest.approx(wanted_row, rel=1e-5)


@pytest.mark.slow
def test_replicas_read_a_folder_like_one_device_and_stop_in_time(tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    for index, pixels in enumerate(datasets.load_digits().images[:200]):
        encoded = tf.io.encode_png(np.uint8(15 * pixels)[..., np.newaxis])
        (images / f"{index:03}.png").write_bytes(encoded.numpy())
    options = (
        f"--dataset=folder:{images}",
        "--train_epochs=20",
        "--num_validation_images=20",
    )
    one, workdir, stopped = (tmp_path / name for name in ("one", "two", "end"))
    mirrored = ("--strategy=mirrored", "--num_cpu_replicas=2")
    programs.pretrain(one, *options, STEPS)
    programs.pretrain(workdir, *options, STEPS, *mirrored)
    assert_close(workdir, one, 10)

    # Threads of both replicas are reading when the signal comes.
    process = subprocess.Popen(
        programs.command(
            "pretrain.py",
            *programs.TINY,
            *(*options, *mirrored),
            f"--workdir={stopped}",
        ),
        cwd=programs.ROOT,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        stop_test.wait_for_row(stopped / "metrics.jsonl", process)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def two_workers(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("two_workers") / "run"
    cluster.pretrain(workdir, *LONG)
    return workdir


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1])
def test_a_lost_worker_ends_all_and_a_restart_goes_on_bit_for_bit(
    two_workers, tmp_path, victim
):
    workdir = tmp_path / "run"
    with cluster.training(workdir, *LONG) as processes:
        stop_test.wait_for_row(workdir / "metrics.jsonl", processes[0])
        processes[victim].kill()
        assert processes[1 - victim].wait(60) == 1
    error = cluster.log(workdir, 1 - victim)
    assert "Traceback" not in error
    assert error.count("has ended or cannot be reached") == 1
    cluster.pretrain(workdir, *LONG)
    programs.assert_same_state(two_workers, workdir, 60)
    assert programs.rows(workdir) == programs.rows(two_workers)


@pytest.mark.slow
def test_a_signal_to_one_worker_stops_all_at_one_step(tmp_path):
    workdir = tmp_path / "run"
    long = ("--train_steps=80", "--checkpoint_every_steps=1000")
    with cluster.training(workdir, *long) as processes:
        stop_test.wait_for_row(workdir / "metrics.jsonl", processes[0])
        processes[1].send_signal(signal.SIGTERM)
        assert [process.wait(60) for process in processes] == [143] * 2
    (folder,) = programs.checkpoints(workdir)
    step = int(folder.removeprefix("step-"))
    for index in range(2):
        assert f"ending after step {step}" in cluster.log(workdir, index)


@pytest.mark.slow
def test_what_the_chief_refuses_ends_all(tmp_path):
    workdir = tmp_path / "run"
    programs.pretrain(workdir, "--train_steps=2")
    with cluster.training(workdir, STEPS, "--seed=9") as processes:
        assert [process.wait(120) for process in processes] == [1, 1]
    for index in range(2):
        assert "Traceback" not in cluster.log(workdir, index)
        assert "--seed=9" in cluster.log(workdir, index)

"""Runs the programs of `experiments/` as a user does: in their own process.

And looks at what a run has left behind.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import tensorflow as tf

from tests.integration import warm_interpreter

ROOT = pathlib.Path(__file__).parents[2]

# What two runs of the same settings must agree in, of a row of metrics.jsonl.
DETERMINISTIC = (
    "step",
    "epoch",
    "loss",
    "gradient_norm",
    "skipped_steps",
    "learning_rate",
    "accuracy",
    "validation_loss",
    "validation_accuracy",
    "validation_mean_iou",
)
# A network and a batch so small that a step takes milliseconds. Drop path and
# relative positions are on, so that their randomness and gradients count.
TINY = (
    "--dataset=builtin:digits",
    "--image_size=32",
    "--backbone=vit_nano",
    "--embed_dim=24",
    "--depth=2",
    "--absolute_position=none",
    "--relative_position=shared",
    "--drop_path_rate=0.3",
    "--mask_patch_size=8",
    "--global_batch_size=16",
    "--base_learning_rate=1e-2",
    "--warmup_epochs=0.1",
    "--train_epochs=1",
    "--log_every_steps=4",
    "--validate_every_steps=4",
    "--picture_every_steps=8",
    "--checkpoint_every_steps=5",
    "--num_validation_images=40",
    "--num_pictures=3",
)

_TIMEOUT = 900  # seconds
# Before a command: what a shell runs in the background ignores Ctrl-C, as do
# the programs that it starts. Not `preexec_fn`: Python code between fork and
# exec may abort where other threads run, as gRPC's do.
HEEDING_CTRL_C = (
    sys.executable,
    "-c",
    "import os, signal, sys;"
    "signal.signal(signal.SIGINT, signal.SIG_DFL);"
    "os.execvp(sys.argv[1], sys.argv[1:])",
)


def command(program, *arguments):
    """Returns the command line that runs a file of `experiments/`."""
    return [sys.executable, str(ROOT / "experiments" / program), *arguments]


def run(program, *arguments, cwd=ROOT, **environment):
    """Runs a program to its end, in a fork of a warm interpreter.

    Args:
        program: str. A file of `experiments/`.
        *arguments: str. Its command line.
        cwd: working directory.
        **environment: environment variables on top of this process'.

    Returns:
        subprocess.CompletedProcess with `stdout` and `stderr`.
    """
    path = ROOT / "experiments" / program
    return warm_interpreter.run(
        [path, *arguments], cwd, _TIMEOUT, **environment
    )


def run_anew(program, *arguments, cwd=ROOT, **environment):
    """Runs a program as `run` does, in a new interpreter.

    For environment variables that are read at its start.
    """
    return subprocess.run(
        command(program, *arguments),
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=_TIMEOUT,
        check=False,
    )


def start(program, *arguments, **options):
    """Starts a program in a fork of a warm interpreter.

    Args:
        program: str. A file of `experiments/`.
        *arguments: str. Its command line.
        **options: of `warm_interpreter.start`: `stdout`, `stderr` and
            environment variables.

    Returns:
        warm_interpreter.Process.
    """
    return warm_interpreter.start(
        [ROOT / "experiments" / program, *arguments], ROOT, **options
    )


def pretrain(workdir, *arguments, **environment):
    """Runs `pretrain.py` with the flags of `TINY`; it must succeed."""
    result = run(
        "pretrain.py",
        *TINY,
        f"--workdir={workdir}",
        *arguments,
        **environment,
    )
    assert result.returncode == 0, result.stderr
    return result


def rows(workdir):
    """Returns the rows of metrics.jsonl, without what depends on time."""
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    return [
        {key: row[key] for key in DETERMINISTIC if key in row}
        for row in map(json.loads, lines)
    ]


def checkpoints(workdir):
    """Returns the names in a run's folder of checkpoints, sorted."""
    return sorted(path.name for path in (workdir / "checkpoints").iterdir())


def copy_as_killed(workdir, copy, step):
    """Copies a run as a kill behind a checkpoint would have left it.

    Args:
        workdir: pathlib.Path of a run that kept its checkpoints.
        copy: pathlib.Path, made here.
        step: int. Checkpoints behind it are left out; rows of metrics and
            pictures of later steps are there, as they are after a kill.
    """
    shutil.copytree(workdir, copy, symlinks=True)
    assert f"step-{step:08d}" in checkpoints(copy)
    for name in checkpoints(copy):
        if name > f"step-{step:08d}":
            shutil.rmtree(copy / "checkpoints" / name)


def tensors(workdir, step):
    """Returns {name: array} of all that a checkpoint holds."""
    reader = tf.train.load_checkpoint(
        str(workdir / "checkpoints" / f"step-{step:08d}" / "state")
    )
    names = reader.get_variable_to_shape_map()
    return {
        name: reader.get_tensor(name)
        for name in names
        if name != "_CHECKPOINTABLE_OBJECT_GRAPH"
    }


def assert_same_state(expected, actual, step):
    """Compares the checkpoints of two runs, bit for bit."""
    wanted, got = tensors(expected, step), tensors(actual, step)
    assert wanted.keys() == got.keys()
    for name, array in wanted.items():
        np.testing.assert_array_equal(got[name], array, err_msg=name)

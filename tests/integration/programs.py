"""Runs the programs of `experiments/` as a user does: in their own process."""

import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[2]

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


def run(program, *arguments, cwd=ROOT, **environment):
    """Runs a program to its end.

    Args:
        program: str. A file of `experiments/`.
        *arguments: str. Its command line.
        cwd: working directory.
        **environment: environment variables on top of this process'.

    Returns:
        subprocess.CompletedProcess with `stdout` and `stderr`.
    """
    return subprocess.run(
        [sys.executable, str(ROOT / "experiments" / program), *arguments],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )

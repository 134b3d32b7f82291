"""Weights & Biases, through its own Keras callback."""

import uuid
from pathlib import Path

from tf_simmim import atomic_file


def wandb_callback(project, run_directory, config, every_steps, start_step=0):
    """Starts a Weights & Biases run and returns the callback that feeds it.

    Whether it goes online is for Weights & Biases to decide
    (`WANDB_MODE=offline`). The run ends with the process, or with
    `wandb.finish()`. A run directory is one run there, however often it was
    interrupted: its id is kept in `wandb_run_id.txt`.

    Args:
        project: str. Name of the project there.
        run_directory: path. The run's folder, whose name becomes the run's
            name; W&B's files go to `wandb/` in it.
        config: JSON-able dict. The run's settings, shown beside the curves.
        every_steps: int >= 1. How often to log.
        start_step: int. Steps taken before this process began.

    Returns:
        `wandb.integration.keras.WandbMetricsLogger`.

    Raises:
        ImportError: wandb is not installed.
        ValueError: wandb could not start, as without a login.
    """
    try:
        import wandb
        from wandb.integration.keras import WandbMetricsLogger
    except ImportError as error:
        raise ImportError(
            "Logging to Weights & Biases needs the package wandb: "
            "`pip install wandb`."
        ) from error
    directory = Path(run_directory)
    id_file = directory / "wandb_run_id.txt"
    if not id_file.exists():
        atomic_file.write_text(id_file, uuid.uuid4().hex)
    try:
        wandb.init(
            project=project,
            name=directory.name,
            dir=str(directory),
            config=config,
            id=id_file.read_text(encoding="utf-8").strip(),
            resume="allow",
        )
    except wandb.Error as error:
        raise ValueError(
            "Weights & Biases could not start. Log in with `wandb login`, or "
            f"set WANDB_MODE=offline to log to files. Received: {error}"
        ) from error
    callback = WandbMetricsLogger(
        log_freq=every_steps, initial_global_step=start_step
    )
    # Its other counter, the x axis of the curves, has no argument.
    callback.global_batch = start_step
    return callback

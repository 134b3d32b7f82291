"""The settings that a run has had so far."""

import pathlib

from absl import logging

from tf_simmim import run
from tf_simmim import training


def read(folder) -> dict | None:
    """Returns the settings of a run that a program goes on with or looks at.

    Its checkpoints know them, which nobody edits. Those of older versions do
    not, and then the run's record does. One that is damaged, of a run that
    has no checkpoint yet, is one line in the log: it is written again.

    Args:
        folder: path of the run, which need not be there.

    Returns:
        dict as of `run.RunRecord.settings`; None for a run that has not begun.

    Raises:
        ValueError: as `run.read_settings`, of a run that has checkpoints.
    """
    checkpoints = pathlib.Path(folder) / "checkpoints"
    if checkpoints.is_dir():  # A store makes it, which is for the trainer.
        metadata = training.CheckpointStore(checkpoints).newest_metadata()
        settings = run.settings_of_checkpoint(metadata)
        if settings is not None:
            return settings
    try:
        return run.read_settings(folder)
    except ValueError as error:
        if any(checkpoints.glob("step-*")):
            raise
        logging.log_first_n(
            logging.WARNING, "It is written again. %s", 1, error
        )
        return None

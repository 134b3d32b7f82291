"""Trains one phase after the other, and ends well whatever happens."""

import dataclasses
import gc
import sys

import tensorflow as tf
from absl import logging

from tf_simmim import data
from tf_simmim import training
from tf_simmim.programs import run_context
from tf_simmim.programs.flags import strategy_flags
from tf_simmim.training import callbacks

# Errors of the data or the machine. Any other may be a fault of ours, and its
# traceback is what one needs then.
_EXPLAINED = (
    data.TooManyBadImagesError,
    data.DamagedRecordsError,
    OSError,
    MemoryError,
    tf.errors.ResourceExhaustedError,
)


@dataclasses.dataclass(frozen=True)
class Fit:
    """One call of Keras' `fit`, of one phase of a run.

    Attributes:
        stage: `Stage`.
        batches: what `fit` takes; None for a run that is complete.
        num_steps: int.
        callbacks: list of tf.keras.callbacks.Callback.
    """

    stage: run_context.Stage
    batches: object = None
    num_steps: int = 0
    callbacks: list = dataclasses.field(default_factory=list)


def fit(context, fits):
    """Trains, and ends the program if training ended before its time.

    Before it leaves with an error, of whatever kind, it tries to save a
    checkpoint of the last step that was finished. (Not where several workers
    train: a checkpoint needs all of them.)

    Args:
        context: `RunContext`.
        fits: iterable of `Fit`, one at least.

    Returns:
        The last `Stage`.

    Raises:
        SystemExit: a signal has ended it, or an error that a sentence explains.
        Exception: any other error.
    """
    stop = callbacks.GracefulStop(context.workers)
    now = None
    try:
        with (
            stop,
            strategy_flags.lost_workers(),
            context.streams.named_errors(),
        ):
            for now in fits:
                gc.collect()  # models of phases before
                if not now.num_steps:
                    break
                now.stage.model.fit(
                    now.batches,
                    steps_per_epoch=now.num_steps,
                    verbose=0,
                    callbacks=[*now.callbacks, stop],
                )
                if stop.exit_code is not None:
                    break
    except (
        training.CheckpointWriteError,
        training.NonFiniteStepsError,
        FloatingPointError,  # weights that no checkpoint may hold
    ) as error:
        sys.exit(f"Error: {error}")
    except Exception as error:
        saved = ""
        if context.workers.count == 1:
            saved = _save_after_error(now.callbacks if now else [])
        if isinstance(error, _EXPLAINED):
            sys.exit(f"Error: {_sentence(error)}{saved}")
        logging.error("Training ends with an error.%s", saved)
        raise
    context.streams.log_bad_images()
    if stop.exit_code is not None:
        logging.info("Stopped; the same command continues the run.")
        sys.exit(stop.exit_code)
    return now.stage


def _save_after_error(run_callbacks):
    """Saves what can be saved; returns a sentence on it, or nothing."""
    for callback in run_callbacks:
        if isinstance(callback, callbacks.Checkpointing):
            try:
                step = callback.save_after_error()
            except Exception as error:  # must not hide the first one
                return f" {_sentence(error)}"
            if step is not None:
                return f" The checkpoint of step {step} is saved."
    return ""


def _sentence(error):
    """Returns an error without what TensorFlow adds for its developers."""
    if isinstance(error, MemoryError):
        return f"There is not enough memory ({str(error) or 'MemoryError'})."
    if isinstance(error, tf.errors.ResourceExhaustedError):
        why = error.message.strip().partition("\n")[0]
        return (
            f"Memory or another resource is exhausted ({why}). A smaller "
            "--global_batch_size, or --accumulation_steps, needs less memory."
        )
    text = str(error)
    return text if text.endswith((".", "!", "?")) else f"{text}."

"""What all programs that train have in common: to begin, go on, and end."""

import gc
import math
import re
import sys

import tensorflow as tf
from absl import flags
from absl import logging

from tf_simmim import data
from tf_simmim import training
from tf_simmim.programs import command_line
from tf_simmim.programs.flags import data_flags
from tf_simmim.programs.flags import run_flags
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


def fit(fits, workers):
    """Trains, and ends the program if training ended before its time.

    Before it leaves with an error, of whatever kind, it tries to save a
    checkpoint of the last step that was finished. (Not where several workers
    train: a checkpoint needs all of them.)

    Args:
        fits: iterable of (model, batches, number of steps, callbacks), one
            call of `fit` each.
        workers: `training.Workers`.

    Raises:
        SystemExit: a signal has ended it, or an error that a sentence explains.
        Exception: any other error.
    """
    stop = training.callbacks.GracefulStop(workers)
    run_callbacks = []
    try:
        with stop, strategy_flags.lost_workers(), data_flags.named_errors():
            for model, batches, num_steps, run_callbacks in fits:
                gc.collect()  # models of phases before
                model.fit(
                    batches,
                    steps_per_epoch=num_steps,
                    verbose=0,
                    callbacks=[*run_callbacks, stop],
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
        if workers.count == 1:
            saved = _save_after_error(run_callbacks)
        if isinstance(error, _EXPLAINED):
            sys.exit(f"Error: {_sentence(error)}{saved}")
        logging.error("Training ends with an error.%s", saved)
        raise
    data_flags.log_bad_images()
    if stop.exit_code is not None:
        logging.info("Stopped; the same command continues the run.")
        sys.exit(stop.exit_code)


def has_checkpoints():
    """Whether the run's folder holds checkpoints; nothing is made or read."""
    folder = run_flags.run_path() / "checkpoints"
    return any(folder.glob("step-*"))


def open_run(workers, results=()):
    """Returns the run's folder, locked, and its store of checkpoints.

    Args:
        workers: `training.Workers`.
        results: as of `training.RunDirectory.sweep`.
    """
    with workers.together():
        run = run_flags.run_directory()
        if workers.is_chief:
            run.lock()
            run.sweep(results)
    store = training.SharedCheckpointStore(
        training.CheckpointStore(
            run.checkpoints,
            keep=run_flags.KEEP_CHECKPOINTS.value,
            mark=run.committed_file,
        ),
        workers,
    )
    store.sweep()
    return run, store


def go_on(run, store, find_checkpoint, strategy, workers, source):
    """Restores the newest checkpoint of a run, or makes sure that it is new.

    Args:
        run: `training.RunDirectory`.
        store: `training.SharedCheckpointStore`.
        find_checkpoint: function () -> tf.train.Checkpoint of the objects to
            restore. Not called for a run without checkpoints.
        strategy: tf.distribute.Strategy.
        workers: `training.Workers`.
        source: `data.Source` that it trains on.

    Returns:
        int: steps taken so far.

    Raises:
        ValueError: the run began with other settings, or its checkpoints have
            gone.
        NoValidCheckpointError: all are damaged.
    """
    if store.latest() is None:
        with workers.together():
            if workers.is_chief:
                _require_fresh(run)
        return 0
    with workers.together():
        before = _settings_before(run, store)
        if before is not None:
            command_line.require_same_settings(
                before, free=run_flags.CHANGEABLE
            )
    manifest = store.restore(find_checkpoint())
    logging.info("Continuing %s from step %d.", run.path, manifest["step"])
    training.warn_if_changed(manifest["fingerprint"])
    if before is not None:
        warn_of_other_rounding(before)
    with workers.together():
        if workers.is_chief:
            _warn_of_other_rows(run, manifest)
    strategy_flags.warn_of_other_replicas(manifest, strategy)
    _warn_of_other_images(manifest, source)
    return manifest["step"]


def is_complete(run, step, total_steps):
    """Whether a run has taken all its steps, which is logged then."""
    if step < total_steps:
        return False
    logging.info(
        "%s is complete at step %d, of %d asked for: a longer run needs a "
        "larger --train_epochs or --train_steps.",
        run.path,
        step,
        total_steps,
    )
    return True


def write_settings(run, schedule, num_images, total_steps, batch_size, workers):
    """Writes what the run is, last, when nothing can be refused any more."""
    if workers.is_chief:
        run.write_flags(command_line.resolved_text())
        run.write_environment()
    logging.info(
        "%d training images, %d steps of %d, learning rate up to %.1e after "
        "%d steps; the run is in %s.",
        num_images,
        total_steps,
        batch_size,
        schedule.learning_rate,
        schedule.warmup_steps,
        run.path,
    )


def _settings_before(run, store):
    """Returns the flags that a run has had so far, as text; None if unknown.

    Its checkpoints know them, which nobody edits. Those of older versions do
    not, and then flags.txt does.
    """
    before = store.newest_metadata().get("flags")
    if before is None and run.flags_file.is_file():
        before = _read_flags(run.flags_file)
    return before


def _read_flags(file):
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise ValueError(
            f"{file} must be text, as the run has written it. Received: {why}."
        ) from error


def _require_fresh(run):
    """Refuses to begin a run anew whose checkpoints have gone.

    A run that was killed before its first checkpoint does begin anew.

    Raises:
        ValueError: it has had a checkpoint, or rows of metrics.jsonl lie past
            the first.
    """
    every = run_flags.CHECKPOINT_EVERY_STEPS.value
    if run.flags_file.is_file():
        text = _read_flags(run.flags_file)
        found = re.search(r"^--checkpoint_every_steps=(\d+)$", text, re.M)
        every = int(found[1]) if found else every
    run.metrics.set_damaged_aside()
    rows = run.metrics.rows(math.inf)
    what = None
    if rows and rows[-1]["step"] > every:
        what = (
            f"has metrics up to step {rows[-1]['step']}, and no checkpoint, "
            f"although every {every} steps should have left one"
        )
    elif run.committed_file.exists():
        what = (
            f"has had a checkpoint, as {run.committed_file.name} says, and has "
            "none any more"
        )
    if what is not None:
        raise ValueError(
            f"{run.path} {what}: bring the checkpoints back; or, to begin "
            "anew, name another --workdir or remove this folder."
        )


def _warn_of_other_rows(run, manifest):
    """Says in one line if metrics.jsonl is not what a checkpoint has seen."""
    if run.metrics.set_damaged_aside():
        return
    wanted = manifest["metadata"].get("metrics")
    found = run.metrics.summary(manifest["step"])
    if wanted is None or wanted == found:
        return
    what = "other rows than were written"
    if wanted["rows"] != found["rows"]:
        what = f"{found['rows']} rows, and {wanted['rows']} were written"
    logging.warning(
        "%s is not what it was when the checkpoint was saved: up to step %d it "
        "has %s. Training goes on.",
        run.metrics_file,
        manifest["step"],
        what,
    )


def warn_of_other_rounding(before):
    """Warns when a run goes on with a flag that changes its last digits.

    Args:
        before: str. The flags that it has had so far, as a flagfile.
    """
    for name in run_flags.ROUNDING:
        flag = flags.FLAGS[name]
        found = re.search(rf"^--(no)?{name}(?:=(.*))?$", before, re.M)
        value = flag.default
        if found:
            value = flag.parser.parse(found[2] or str(not found[1]))
        if value != flag.value:
            logging.warning(
                "--%s was %s, is %s. Continuing, but not bit-exact.",
                name,
                value,
                flag.value,
            )


def _warn_of_other_images(manifest, source):
    """Warns when a run goes on with other images than it has seen so far.

    Their order is drawn for all of them, so each comes once per epoch only as
    long as they stay. A refusal would cost the run.
    """
    before, now = manifest["metadata"].get("images"), source.digest()
    if before != now:
        logging.warning(
            "%s is not what it was when the checkpoint was saved (then: %s; "
            "now: %s). The order of images is another one from here on.",
            source.name,
            before,
            now,
        )


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

"""What all programs that train have in common: to begin, go on, and end."""

import gc
import re
import sys

import command_line
import data_flags
import run_flags
import strategy_flags
from absl import flags
from absl import logging

from tf_simmim import data
from tf_simmim import training
from tf_simmim.training import callbacks


def fit(fits, workers):
    """Trains, and ends the program if training ended before its time.

    Args:
        fits: iterable of (model, batches, number of steps, callbacks), one
            call of `fit` each.
        workers: `training.Workers`.

    Raises:
        SystemExit: a signal or an error has ended it.
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
    except (data.TooManyBadImagesError, data.DamagedRecordsError) as error:
        unsaved = ""
        if workers.count == 1:  # a checkpoint needs all of them
            unsaved = _save_after_error(run_callbacks)
        sys.exit(f"Error: {error}{unsaved}")
    data_flags.log_bad_images()
    if stop.exit_code is not None:
        logging.info("Stopped; the same command continues the run.")
        sys.exit(stop.exit_code)


def has_checkpoints():
    """Whether the run's folder holds checkpoints; nothing is made or read."""
    folder = run_flags.run_path() / "checkpoints"
    return any(folder.glob("step-*"))


def open_run(workers):
    """Returns the run's folder, locked, and its store of checkpoints."""
    with workers.together():
        run = run_flags.run_directory()
        if workers.is_chief:
            run.lock()
            run.sweep()
    store = training.SharedCheckpointStore(
        training.CheckpointStore(
            run.checkpoints, keep=run_flags.KEEP_CHECKPOINTS.value
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
        command_line.require_same_settings(
            run.flags_file, free=run_flags.CHANGEABLE
        )
    manifest = store.restore(find_checkpoint())
    logging.info("Continuing %s from step %d.", run.path, manifest["step"])
    training.warn_if_changed(manifest["fingerprint"])
    warn_of_other_rounding(run.flags_file)
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


def _require_fresh(run):
    """Refuses to begin a run anew whose checkpoints have gone.

    A run that was killed before its first checkpoint does begin anew.

    Raises:
        ValueError: rows of metrics.jsonl lie past the first checkpoint.
    """
    every = run_flags.CHECKPOINT_EVERY_STEPS.value
    if run.flags_file.is_file():
        text = run.flags_file.read_text(encoding="utf-8")
        found = re.search(r"^--checkpoint_every_steps=(\d+)$", text, re.M)
        every = int(found[1]) if found else every
    rows = training.JsonLines(run.metrics_file).rows(sys.maxsize)
    if rows and rows[-1]["step"] > every:
        raise ValueError(
            f"{run.path} has metrics up to step {rows[-1]['step']}, and no "
            f"checkpoint, although every {every} steps should have left one: "
            "bring the checkpoints back; or, to begin anew, name another "
            "--workdir or remove this folder."
        )


def warn_of_other_rounding(flags_file):
    """Warns when a run goes on with a flag that changes its last digits."""
    if not flags_file.is_file():
        return
    text = flags_file.read_text(encoding="utf-8")
    for name in run_flags.ROUNDING:
        flag = flags.FLAGS[name]
        found = re.search(rf"^--(no)?{name}(?:=(.*))?$", text, re.M)
        before = flag.default
        if found:
            before = flag.parser.parse(found[2] or str(not found[1]))
        if before != flag.value:
            logging.warning(
                "--%s was %s, is %s. Continuing, but not bit-exact.",
                name,
                before,
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
    """Saves what can be saved; returns a sentence if that fails."""
    for callback in run_callbacks:
        if isinstance(callback, callbacks.Checkpointing):
            try:
                callback.save_after_error()
            except (training.CheckpointWriteError, FloatingPointError) as error:
                return f" {error}"
    return ""

"""What a run finds of itself in its folder: locked, compared, and restored."""

import math

from absl import flags
from absl import logging

from tf_simmim import training
from tf_simmim.programs import command_line
from tf_simmim.programs import run_settings
from tf_simmim.programs import settings_before
from tf_simmim.programs.flags import run_flags
from tf_simmim.programs.flags import strategy_flags

# Flags that fit a run to a machine: no result changes beyond its rounding.
ROUNDING = ("accumulation_steps", "jit_compile", "steps_per_execution")


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
    with workers.sharing_errors():
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


def changeable(flag_groups) -> set[str]:
    """Returns the names of flags that a run may be continued with others of.

    Args:
        flag_groups: sequence of modules, each with its `CHANGEABLE`, if any.
    """
    names = set(command_line.RETIRED)
    return names.union(*(getattr(g, "CHANGEABLE", ()) for g in flag_groups))


def restore_newest(context, free, checkpoint_of):
    """Restores the newest checkpoint of a run, or makes sure that it is new.

    Args:
        context: `RunContext`.
        free: set of names of flags, from `changeable`.
        checkpoint_of: function (number of a phase, from 0) ->
            tf.train.Checkpoint of the objects to restore.

    Returns:
        (checkpoint, number of its phase, steps taken so far).

    Raises:
        ValueError: the run began with other settings, or its checkpoints have
            gone.
        NoValidCheckpointError: all are damaged.
    """
    run, store, workers = context.directory, context.store, context.workers
    if store.latest() is None:
        with workers.sharing_errors():
            if workers.is_chief:
                _require_fresh(run)
        return checkpoint_of(0), 0, 0
    with workers.sharing_errors():
        before = settings_before.read(run.path)
        if before:
            run_settings.require_same(before, free, context.decided)
    number = _trained_phase(context)
    checkpoint = checkpoint_of(number)
    manifest = store.restore(checkpoint)
    logging.info("Continuing %s from step %d.", run.path, manifest["step"])
    training.warn_if_changed(manifest["fingerprint"])
    if before:
        warn_of_other_rounding(before)
    with workers.sharing_errors():
        if workers.is_chief:
            _warn_of_other_rows(run, manifest)
    strategy_flags.warn_of_other_replicas(manifest, context.strategy)
    _warn_of_other_images(manifest, context.source)
    return checkpoint, number, manifest["step"]


def _trained_phase(context):
    """Returns the number of the phase that the newest checkpoint is of.

    A phase ends with a checkpoint of its own; so one from the step at which
    the next phase begins is still of the phase before.

    Raises:
        ValueError: there is no such phase.
        NoValidCheckpointError: there is no checkpoint that is undamaged.
    """
    if len(context.phases) == 1:
        return 0
    number = context.store.newest_valid()["metadata"]["phase"]["number"]
    if number >= len(context.phases):
        raise ValueError(
            "The schedules must have the phases that the run began with. "
            f"Received: {len(context.phases)}, and a checkpoint of phase "
            f"{number + 1}."
        )
    return number


def is_complete(context, step):
    """Whether a run has taken all its steps, which is logged then."""
    if step < context.total_steps:
        return False
    logging.info(
        "%s is complete at step %d, of %d asked for: a longer run needs a "
        "larger --train_epochs or --train_steps.",
        context.directory.path,
        step,
        context.total_steps,
    )
    return True


def write_settings(context):
    """Writes the settings, last, when nothing can be refused any more."""
    if context.workers.is_chief:
        settings = run_settings.current(context.decided)
        context.directory.write_flags(run_settings.as_flagfile(settings))
        context.directory.write_environment()
    logging.info(
        "%d training images, %d steps of %d, learning rate up to %.1e after "
        "%d steps; the run is in %s.",
        len(context.source),
        context.total_steps,
        context.batch_size,
        context.schedule.learning_rate,
        context.schedule.warmup_steps,
        context.directory.path,
    )


def _require_fresh(run):
    """Refuses to begin a run anew whose checkpoints have gone.

    A run that was killed before its first checkpoint does begin anew.

    Raises:
        ValueError: it has had a checkpoint, or rows of metrics.jsonl lie past
            the first.
    """
    settings = settings_before.read(run.path) or {}
    every = run_flags.CHECKPOINT_EVERY_STEPS.value
    every = settings.get("checkpoint_every_steps", every)
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
        before: dict. The settings that it has had so far.
    """
    for name in ROUNDING:
        value, now = run_settings.value_before(before, name), flags.FLAGS[name]
        if value != now.value:
            logging.warning(
                "--%s was %s, is %s. Continuing, but not bit-exact.",
                name,
                value,
                now.value,
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

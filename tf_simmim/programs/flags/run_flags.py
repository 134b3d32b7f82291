"""Flags for the run itself: where it leaves what, how often, which seed."""

import math
import os
import pathlib
import sys

import tensorflow as tf
from absl import flags

from tf_simmim import data
from tf_simmim import training
from tf_simmim.programs import command_line
from tf_simmim.programs.flags import curriculum_flags
from tf_simmim.programs.flags import data_flags
from tf_simmim.programs.flags import model_flags
from tf_simmim.programs.flags import online_evaluation_flags
from tf_simmim.programs.flags import optimization_flags
from tf_simmim.programs.flags import strategy_flags
from tf_simmim.training import callbacks

WORKDIR = flags.DEFINE_string(
    "workdir",
    None,
    "Folder of the run. Where it holds a run already, that run goes on. "
    "Default: runs/<name>.",
)
_NAME = flags.DEFINE_string("name", "pretrain", "Name of the run.")
SEED = flags.DEFINE_integer(
    "seed", 0, "Of weights, order of images, augmentation and masks."
)
LOG_EVERY_STEPS = flags.DEFINE_integer(
    "log_every_steps", 100, "Steps between two rows of metrics.", lower_bound=1
)
VALIDATE_EVERY_STEPS = flags.DEFINE_integer(
    "validate_every_steps",
    1000,
    "Steps between two measurements of the held-out loss, a multiple of "
    "--log_every_steps; fewer where a run would not have ten of them.",
    lower_bound=1,
)
PICTURE_EVERY_STEPS = flags.DEFINE_integer(
    "picture_every_steps",
    1000,
    "Steps between two pictures of reconstructions; fewer where "
    "--train_epochs would not have ten of them.",
    lower_bound=1,
)
CHECKPOINT_EVERY_STEPS = flags.DEFINE_integer(
    "checkpoint_every_steps",
    1000,
    "Steps between two checkpoints.",
    lower_bound=1,
)
KEEP_CHECKPOINTS = flags.DEFINE_integer(
    "keep_checkpoints", 3, "How many of the newest stay.", lower_bound=1
)
NUM_PICTURES = flags.DEFINE_integer(
    "num_pictures", 8, "Images in a picture of reconstructions.", lower_bound=1
)
WANDB_PROJECT = flags.DEFINE_string(
    "wandb_project",
    None,
    "Also log to this project of Weights & Biases (needs the extra `wandb`).",
)


@flags.multi_flags_validator(
    ["log_every_steps", "validate_every_steps"],
    message="--validate_every_steps must be a multiple of --log_every_steps",
)
def _validates_at_a_row(values):
    return values["validate_every_steps"] % values["log_every_steps"] == 0


@flags.multi_flags_validator(
    ["log_every_steps", "evaluate_every"],
    message="--evaluate_every must be a multiple of --log_every_steps",
)
def _evaluates_at_a_row(values):
    return values["evaluate_every"] % values["log_every_steps"] == 0


@flags.multi_flags_validator(
    ["log_every_steps", "steps_per_execution"],
    message="--log_every_steps must be a multiple of --steps_per_execution",
)
def _a_row_ends_an_execution(values):
    return values["log_every_steps"] % values["steps_per_execution"] == 0


def run_path() -> pathlib.Path:
    """Returns where the run's folder is, or will be."""
    return pathlib.Path(WORKDIR.value or pathlib.Path("runs") / _NAME.value)


def run_directory() -> training.RunDirectory:
    """Returns the run's folder, made if need be."""
    return training.RunDirectory(WORKDIR.value or run_path())


# Flags that fit a run to a machine: no result changes beyond its rounding.
ROUNDING = ("accumulation_steps", "jit_compile", "steps_per_execution")
# Flags that a run may be continued with other values of.
CHANGEABLE = {
    *strategy_flags.CHANGEABLE,
    *online_evaluation_flags.CHANGEABLE,
    *("workdir", "name", "data_dir", "keep_checkpoints", "wandb_project"),
    *("train_epochs", "train_steps"),
    *("log_every_steps", "validate_every_steps", "picture_every_steps"),
    *("checkpoint_every_steps", "num_pictures", "num_validation_images"),
    *("validation_dataset", "validation_split", "max_bad_images"),
    *("num_drawn", "min_confidence"),
    # Not looked at again: the weights are in the checkpoints.
    "pretrained",
    *ROUNDING,
    "data_service",
}
# Images that the level of the collapse alarm is measured on.
_ALARM_SAMPLE_SIZE = 256


def create_callbacks(
    run,
    store,
    checkpoint,
    stream,
    validation_source,
    phases,
    number,
    schedule,
    start_step,
    total_steps,
    strategy,
    workers,
):
    """Returns the callbacks of one phase of a pretraining run.

    Where several workers train, those that are not the chief take part in
    what all have to do (checkpoints, validation, ends) and write nothing.

    Their order matters: metrics are shown before `MetricsLog` resets them,
    a checkpoint comes after all that changes the model, and what raises when
    `fit` ends comes last.
    """
    held_out, validation = stream, (None, None)
    if validation_source is not None:
        held_out = data_flags.evaluation_stream(
            validation_source,
            stream.random_mask,
            stream.seed,
            size=phases[number].image_size,
        )
        validation = validation_batches(strategy, held_out)
    online_evaluation = online_evaluation_flags.create_evaluation(
        *(stream.source, validation_source),
        *(checkpoint.model.backbone.num_blocks, phases[number].image_size),
        *(stream.seed, total_steps),
    )
    summaries = run.summary_writer() if workers.is_chief else None
    shown, warning = [], []
    if workers.is_chief:
        shown = _callbacks_for_people(
            *(run, schedule, held_out, start_step, total_steps),
            *(_tenth(len(stream.source)), summaries),
            phases[number].first_step,
        )
        warning = [
            callbacks.Dispensable(
                callbacks.OverfittingAlarm(
                    LOG_EVERY_STEPS.value,
                    metrics_file=run.metrics,
                    first_step=phases[number].first_step,
                    last_step=total_steps,
                )
            )
        ]
    metadata = {"phase": curriculum_flags.describe(phases, number)}
    return [
        *shown,
        *recording_callbacks(
            *(run, store, checkpoint, stream, validation, schedule),
            *(total_steps, strategy, workers, summaries, metadata),
            *(online_evaluation, warning),
        ),
    ]


def _tenth(num_images):
    # A short run deserves more than one look: ten at least.
    return max(1, optimization_flags.schedule_steps(num_images) // 10)


def validation_batches(strategy, held_out, num_images=None):
    """Returns batches of held-out images, and how many they are.

    Args:
        strategy: tf.distribute.Strategy.
        held_out: `data.ImageStream`.
        num_images: int, at most. Default: --num_validation_images.
    """
    batch_size = optimization_flags.GLOBAL_BATCH_SIZE.value
    # A TPU knows batches of one size only.
    drop_remainder = isinstance(strategy, tf.distribute.TPUStrategy)
    num_images = min(
        len(held_out.source),
        num_images or data_flags.NUM_VALIDATION_IMAGES.value,
    )
    num_batches = num_images / batch_size
    batches = data.distributed_batches(
        strategy,
        held_out,
        batch_size,
        stop_index=num_images,
        drop_remainder=drop_remainder,
    )
    return batches, (math.floor if drop_remainder else math.ceil)(num_batches)


def recording_callbacks(
    run,
    store,
    checkpoint,
    stream,
    validation,
    schedule,
    total_steps,
    strategy,
    workers,
    summaries,
    metadata,
    online_evaluation=None,
    readers=(),
):
    """Returns the callbacks that any run needs, on any worker, in order.

    Args:
        run: `training.RunDirectory`.
        store: `training.SharedCheckpointStore`.
        checkpoint: tf.train.Checkpoint with the model as `model`.
        stream: `data.ImageStream` that it trains on.
        validation: (batches, how many), or (None, None).
        schedule: learning-rate schedule.
        total_steps: int.
        strategy: tf.distribute.Strategy.
        workers: `training.Workers`.
        summaries: tf.summary.SummaryWriter or None.
        metadata: dict. More for the manifests of checkpoints.
        online_evaluation: `callbacks.OnlineEvaluation` or None.
        readers: callbacks that read what `MetricsLog` has added to the logs.
    """
    num_images = len(stream.source)
    batch_size = optimization_flags.GLOBAL_BATCH_SIZE.value
    log_every = LOG_EVERY_STEPS.value
    rows_in_a_tenth = max(_tenth(num_images) // log_every, 1)
    validate_every = min(
        VALIDATE_EVERY_STEPS.value, rows_in_a_tenth * log_every
    )
    batches, num_batches = validation
    metrics_log = callbacks.MetricsLog(
        run.metrics if workers.is_chief else None,
        log_every,
        total_steps,
        batch_size,
        optimization_flags.steps_per_epoch(num_images) * batch_size,
        schedule,
        summaries,
        batches,
        validate_every,
        num_batches,
        online_evaluation,
    )
    return [
        metrics_log,
        *readers,
        callbacks.Checkpointing(
            store,
            checkpoint,
            CHECKPOINT_EVERY_STEPS.value,
            total_steps,
            metadata={
                "global_batch_size": batch_size,
                "images": stream.source.digest(),
                "num_replicas": strategy.num_replicas_in_sync,
                "model": checkpoint.model.get_config(),
                "flags": command_line.resolved_text(),
                **metadata,
            },
            metrics_log=metrics_log,
        ),
        callbacks.NonFiniteWatch(
            run.skipped_steps if workers.is_chief else None,
            stream,
            batch_size,
            total_steps,
        ),
    ]


def progress_callbacks(run, schedule, start_step, total_steps):
    """Returns what shows how far a run is: the bar, and --wandb_project."""
    result = [
        callbacks.ProgressBar(
            total_steps,
            start_step,
            optimization_flags.GLOBAL_BATCH_SIZE.value,
            schedule,
        )
    ]
    if WANDB_PROJECT.value:
        result.append(
            callbacks.wandb_callback(
                WANDB_PROJECT.value,
                run.path,
                {flag.name: flag.value for flag in command_line.own_flags()},
                LOG_EVERY_STEPS.value,
                start_step,
            )
        )
    return [callbacks.Dispensable(callback) for callback in result]


def _callbacks_for_people(
    run,
    schedule,
    held_out,
    start_step,
    total_steps,
    tenth,
    summaries,
    first_step,
):
    """Returns the callbacks that only show or warn of something."""
    log_every = LOG_EVERY_STEPS.value
    result = progress_callbacks(run, schedule, start_step, total_steps)
    if model_flags.loss_is_in_pixels():
        sample = data_flags.first_elements(held_out, _ALARM_SAMPLE_SIZE)
        alarm = callbacks.CollapseAlarm(
            callbacks.single_colour_loss(sample),
            every_steps=log_every,
            patience_steps=schedule.warmup_steps + 10 * log_every,
            metrics_file=run.metrics,
            first_step=first_step,
        )
        result.append(callbacks.Dispensable(alarm))
    pictures = callbacks.ReconstructionPictures(
        data_flags.first_elements(held_out, NUM_PICTURES.value),
        held_out.normalization,
        run.reconstructions,
        min(PICTURE_EVERY_STEPS.value, tenth),
        total_steps,
        summaries,
    )
    return [*result, callbacks.Dispensable(pictures)]


def print_closing(run):
    """Prints what the numbers mean, and what to look at and type next."""
    pictures = sorted(run.reconstructions.glob("*.png"))
    python = pathlib.Path(os.path.relpath(sys.executable))
    print(
        "\nRaw pixels are hard to beat on small, centred images such as "
        "digits; on\nphotographs they fall far behind."
    )
    if pictures:
        print(f"\nReconstructions: {pictures[-1]}")
    print(f"Run directory:   {run.path}")
    print(
        f"Curves:          {python.parent / 'tensorboard'} "
        f"--logdir={run.tensorboard}"
    )
    print(
        f"Next, your own images:\n  {python} experiments/pretrain.py "
        "--flagfile=vits.flags \\\n    --dataset=folder:PATH "
        "--global_batch_size=64 --workdir=runs/mine"
    )

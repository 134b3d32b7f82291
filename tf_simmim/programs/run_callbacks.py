"""The callbacks of a run: what shows it, records it, and warns of it."""

import math

import tensorflow as tf

from tf_simmim import data
from tf_simmim import run
from tf_simmim.programs import run_settings
from tf_simmim.programs.flags import data_flags
from tf_simmim.programs.flags import optimization_flags
from tf_simmim.programs.flags import run_flags
from tf_simmim.training import callbacks


def create(task, context, stage):
    """Returns the callbacks of one phase of a run.

    Where several workers train, those that are not the chief take part in
    what all have to do (checkpoints, validation, ends) and write nothing.

    Their order matters: metrics are shown before `MetricsLog` resets them,
    a checkpoint comes after all that changes the model, and what raises when
    `fit` ends comes last.

    Args:
        task: `Task`.
        context: `RunContext`.
        stage: `Stage`.
    """
    is_chief = context.workers.is_chief
    validation, validation_steps = None, None
    if stage.held_out is not None:
        validation, validation_steps = validation_batches(
            context.strategy, stage.held_out
        )
    online_evaluation = task.online_evaluation(context, stage)
    summaries = context.directory.summary_writer() if is_chief else None
    shown, alarms = [], []
    if is_chief:
        shown = [
            *_progress_callbacks(context, stage),
            *task.display_callbacks(context, stage, summaries),
        ]
        alarms = task.alarm_callbacks(context, stage)
    metrics_log = callbacks.MetricsLog(
        metrics_file=context.directory.metrics if is_chief else None,
        every_steps=run_flags.LOG_EVERY_STEPS.value,
        last_step=context.total_steps,
        images_per_step=context.batch_size,
        images_per_epoch=context.batch_size
        * optimization_flags.steps_per_epoch(len(context.source)),
        learning_rate_fn=context.schedule,
        summary_writer=summaries,
        validation=validation,
        validation_every_steps=_validate_every(context),
        validation_steps=validation_steps,
        online_evaluation=online_evaluation,
    )
    return [
        *map(callbacks.Dispensable, shown),
        metrics_log,
        *map(callbacks.Dispensable, alarms),
        callbacks.Checkpointing(
            context.store,
            stage.checkpoint,
            every_steps=run_flags.CHECKPOINT_EVERY_STEPS.value,
            last_step=context.total_steps,
            metadata={
                "global_batch_size": context.batch_size,
                "images": context.source.digest(),
                "num_replicas": context.strategy.num_replicas_in_sync,
                "model": run.ModelRecord.of(stage.model).as_json(),
                "settings": run_settings.current(context.decided),
                **task.checkpoint_metadata(context, stage.number),
            },
            metrics_log=metrics_log,
        ),
        callbacks.NonFiniteWatch(
            context.directory.skipped_steps if is_chief else None,
            stage.stream,
            images_per_step=context.batch_size,
            total_steps=context.total_steps,
        ),
    ]


def tenth_of_the_run(context):
    """Returns the steps in a tenth of --train_epochs, one at least.

    A short run deserves more than one look: ten.

    Args:
        context: `RunContext`.
    """
    steps = optimization_flags.schedule_steps(len(context.source))
    return max(1, steps // 10)


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


def held_out_scores(context, stage):
    """Returns what a model's `evaluate` says of all held-out images.

    Args:
        context: `RunContext`. All workers call this.
        stage: `Stage` with held-out images.

    Returns:
        dict {name of a metric: float}.
    """
    batches, steps = validation_batches(
        context.strategy, stage.held_out, len(context.held_out)
    )
    return stage.model.evaluate(
        batches, steps=steps, verbose=0, return_dict=True
    )


def _validate_every(context):
    """Returns the steps between two validations, a multiple of a row's."""
    log_every = run_flags.LOG_EVERY_STEPS.value
    rows_in_a_tenth = max(tenth_of_the_run(context) // log_every, 1)
    return min(
        run_flags.VALIDATE_EVERY_STEPS.value, rows_in_a_tenth * log_every
    )


def _progress_callbacks(context, stage):
    """Returns what shows how far a run is: the bar, and --wandb_project."""
    result = [
        callbacks.ProgressBar(
            total_steps=context.total_steps,
            start_step=stage.start_step,
            images_per_step=context.batch_size,
            learning_rate_fn=context.schedule,
        )
    ]
    if run_flags.WANDB_PROJECT.value:
        result.append(
            callbacks.wandb_callback(
                run_flags.WANDB_PROJECT.value,
                context.directory.path,
                run_settings.current(context.decided),
                run_flags.LOG_EVERY_STEPS.value,
                stage.start_step,
            )
        )
    return result

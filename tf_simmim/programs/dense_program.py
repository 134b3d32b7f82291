"""What programs for dense tasks do: train on a pyramid, judge, leave results.

The programs differ in what a `Task` holds.
"""

import dataclasses
import functools
from collections.abc import Callable

import tensorflow as tf
from absl import logging

from tf_simmim import training
from tf_simmim.programs import command_line
from tf_simmim.programs import training_program
from tf_simmim.programs.flags import compute_flags
from tf_simmim.programs.flags import data_flags
from tf_simmim.programs.flags import finetune_flags
from tf_simmim.programs.flags import optimization_flags
from tf_simmim.programs.flags import run_flags
from tf_simmim.programs.flags import strategy_flags


@dataclasses.dataclass(frozen=True)
class Task:
    """What is particular to one dense task.

    Attributes:
        open_sources: function () -> (`data.Source`, `data.Source` or None):
            the images to train on, and the held-out ones.
        create_model: function (source, pretrained backbone or None) -> model.
        training_stream: function (source) -> `data.ImageStream`.
        evaluation_stream: function (source) -> `data.ImageStream`.
        write_results: function (`training.RunDirectory`, model, dict of
            what `evaluate` returned, `data.ImageStream` of held-out images,
            `training.Workers`). All of them call it, the chief writes.
    """

    open_sources: Callable
    create_model: Callable
    training_stream: Callable
    evaluation_stream: Callable
    write_results: Callable


def run(task):
    """Trains and evaluates, as the flags say."""
    fits, workers, finish = _set_up(task)
    training_program.fit(fits, workers)
    finish()
    logging.info("Done.")


@command_line.plain_errors()
@strategy_flags.lost_workers()
@data_flags.named_errors()
def _set_up(task):
    """Creates what `fit` needs; returns as `finetune.set_up` does."""
    strategy = strategy_flags.create_strategy()
    workers = training.Workers(strategy)
    compute_flags.set_precision()
    batch_size = optimization_flags.GLOBAL_BATCH_SIZE.value
    strategy_flags.require_share(batch_size, strategy)
    with workers.together():
        source, held_out = task.open_sources()
    total_steps = optimization_flags.total_steps(len(source))
    schedule = optimization_flags.create_schedule(len(source))

    pretrained = None
    if not training_program.has_checkpoints():
        pretrained = finetune_flags.load_pretrained()
    tf.keras.utils.set_random_seed(run_flags.SEED.value)
    with strategy.scope():
        model = task.create_model(source, pretrained)
        optimizer = optimization_flags.create_optimizer(
            model, schedule, **finetune_flags.optimizer_options()
        )
        model.compile(
            optimizer=optimizer,
            jit_compile=compute_flags.JIT_COMPILE.value,
            accumulation_steps=optimization_flags.accumulation_steps(),
            steps_per_execution=strategy_flags.STEPS_PER_EXECUTION.value,
        )
    model.normalize = data_flags.normalization().normalize
    checkpoint = tf.train.Checkpoint(model=model, optimizer=optimizer)
    stream = task.training_stream(source)

    run, store = training_program.open_run(
        workers,
        results=("evaluation.json", "detection.json", "predictions.png"),
    )
    step = training_program.go_on(
        run, store, lambda: checkpoint, strategy, workers, source
    )
    held_out = held_out and task.evaluation_stream(held_out)
    finish = functools.partial(
        _evaluate, task, run, model, held_out, strategy, workers
    )
    if training_program.is_complete(run, step, total_steps):
        return [], workers, finish
    store.require_space(checkpoint)
    validation = (None, None)
    if held_out is not None:
        validation = run_flags.validation_batches(strategy, held_out)
    summaries = run.summary_writer() if workers.is_chief else None
    callbacks = run_flags.recording_callbacks(
        *(run, store, checkpoint, stream, validation, schedule, total_steps),
        *(strategy, workers, summaries, {}),
    )
    if workers.is_chief:
        run.write_model(model)
        shown = run_flags.progress_callbacks(run, schedule, step, total_steps)
        callbacks = [*shown, *callbacks]
    batches = data_flags.training_batches(
        strategy, stream, batch_size, start_index=step * batch_size
    )
    training_program.write_settings(
        run, schedule, len(source), total_steps, batch_size, workers
    )
    return [(model, batches, total_steps - step, callbacks)], workers, finish


@command_line.plain_errors()
@strategy_flags.lost_workers()
@data_flags.named_errors()
def _evaluate(task, run, model, held_out, strategy, workers):
    """Judges the model by all held-out images, and writes what it found."""
    if held_out is None:
        return
    batches, steps = run_flags.validation_batches(
        strategy, held_out, len(held_out.source)
    )
    scores = model.evaluate(batches, steps=steps, verbose=0, return_dict=True)
    task.write_results(run, model, scores, held_out, workers)

"""What every program that trains does: set up, go on, train, end.

What differs from one kind of training to another is a `Task`.
"""

import contextlib
import dataclasses
import itertools
import sys

import tensorflow as tf
from absl import logging

from tf_simmim import convert
from tf_simmim import training
from tf_simmim.programs import command_line
from tf_simmim.programs import earlier_run
from tf_simmim.programs import fitting
from tf_simmim.programs import open_streams
from tf_simmim.programs import run_callbacks
from tf_simmim.programs import run_settings
from tf_simmim.programs.flags import compute_flags
from tf_simmim.programs.flags import input_flags
from tf_simmim.programs.flags import optimization_flags
from tf_simmim.programs.flags import run_flags
from tf_simmim.programs.flags import strategy_flags
from tf_simmim.programs.run_context import RunContext
from tf_simmim.programs.run_context import Stage


def launch(task, argv):
    """Runs the program of a task, and ends the process.

    Args:
        task: `Task`. The docstring of its module is what --help says first.
        argv: list of str. The command line, program name first.
    """
    if len(argv) == 1 and task.demo is not None:
        print(f"No flags given: running the demo, --flagfile={task.demo}.")
        argv = [*argv, f"--flagfile={task.demo}"]

    def main(arguments):
        command_line.refuse_leftovers(arguments)
        run(task)

    command_line.run(
        main,
        command_line.with_retired_flags(argv),
        program=sys.modules[type(task).__module__],
        flag_groups=task.flag_groups,
        flag_defaults=task.flag_defaults,
        may_lose_output=True,
    )


def run(task):
    """Trains as the flags say, and leaves the results.

    Args:
        task: `Task`.
    """
    streams = open_streams.OpenStreams()
    with _explained_errors(streams):
        context, fits = _set_up(task, streams)
    stage = fitting.fit(context, fits)
    with _explained_errors(streams):
        task.finish(context, stage)
    logging.info("Done.")


@contextlib.contextmanager
def _explained_errors(streams):
    """Ends the program with one sentence on what the user can change."""
    with (
        command_line.plain_errors(),
        strategy_flags.lost_workers(),
        streams.named_errors(),
    ):
        yield


def _set_up(task, streams):
    """Returns the `RunContext`, and an iterator of what `fitting.fit` needs."""
    context = _create_context(task, streams)
    task.require_possible(context)
    pretrained = None
    if not earlier_run.has_checkpoints():
        pretrained = task.load_pretrained()
    checkpoint = _create_checkpoint(task, context, 0, pretrained)
    directory, store = earlier_run.open_run(context.workers, task.results)
    context = dataclasses.replace(context, directory=directory, store=store)

    def checkpoint_of(number):
        if number == 0:
            return checkpoint
        return _create_checkpoint(task, context, number)

    restored, number, step = earlier_run.restore_newest(
        context, earlier_run.changeable(task.flag_groups), checkpoint_of
    )
    if earlier_run.is_complete(context, step):
        stage = _create_stage(task, context, restored, number, step)
        return context, [fitting.Fit(stage)]

    store.require_space(restored)
    fits = _create_fits(task, context, restored, number, step)
    first = next(fits)
    earlier_run.write_settings(context)
    # An iterator, which lets go of the first model when it is over.
    return context, itertools.chain(iter([first]), fits)


def _create_context(task, streams):
    strategy = strategy_flags.create_strategy()
    workers = training.Workers(strategy)
    compute_flags.set_precision()
    batch_size = optimization_flags.GLOBAL_BATCH_SIZE.value
    strategy_flags.require_share(batch_size, strategy)
    with workers.sharing_errors():
        source, held_out = task.open_sources()
        normalization = task.normalization(source)
        decided = input_flags.decided(normalization)
    return RunContext(
        strategy=strategy,
        workers=workers,
        streams=streams,
        source=source,
        held_out=held_out,
        normalization=normalization,
        decided=decided,
        seed=run_flags.SEED.value,
        batch_size=batch_size,
        total_steps=optimization_flags.total_steps(len(source)),
        schedule=optimization_flags.create_schedule(len(source)),
        phases=task.create_phases(len(source)),
    )


def _create_checkpoint(task, context, number, pretrained=None):
    """Returns a tf.train.Checkpoint of a phase's new `model`, `optimizer`."""
    tf.keras.utils.set_random_seed(context.seed)
    with context.strategy.scope():
        model = task.create_model(context, context.phases[number], pretrained)
        optimizer = optimization_flags.create_optimizer(
            model, context.schedule, **task.optimizer_options()
        )
        model.compile(
            optimizer=optimizer,
            jit_compile=compute_flags.JIT_COMPILE.value,
            accumulation_steps=optimization_flags.accumulation_steps(),
            steps_per_execution=strategy_flags.STEPS_PER_EXECUTION.value,
        )
    model.normalize = context.normalization.normalize
    return tf.train.Checkpoint(model=model, optimizer=optimizer)


def _create_stage(task, context, checkpoint, number, step):
    phase, model, held_out = context.phases[number], checkpoint.model, None
    stream = context.streams.add(task.training_stream(context, phase, model))
    if context.held_out is not None:
        held_out = context.streams.add(
            task.evaluation_stream(context, phase, model)
        )
    return Stage(
        number=number,
        phase=phase,
        start_step=step,
        checkpoint=checkpoint,
        stream=stream,
        held_out=held_out,
    )


def _write_record(task, context, model):
    """Writes run.json, without which a run goes on: model.json is there."""
    with training.going_on_without(str(context.directory.record_file)):
        record = run_settings.record_of(task, context, model)
        context.directory.write_record(record)


def _create_fits(task, context, checkpoint, number, step):
    """Yields what `fitting.fit` needs, for one phase after the other.

    It makes a phase from the one before, so that has to be over.
    """
    while step < context.total_steps:
        due = training.phase_at(context.phases, step)
        if due != number:
            number, before = due, checkpoint.model
            checkpoint = _create_checkpoint(task, context, number)
            convert.transfer_training(before, checkpoint.model)
            del before
        stage = _create_stage(task, context, checkpoint, number, step)
        with context.workers.sharing_errors():
            callbacks = run_callbacks.create(task, context, stage)
            if context.workers.is_chief:
                context.directory.write_model(stage.model)
                _write_record(task, context, stage.model)
        if len(context.phases) > 1:
            logging.info(
                "Phase %d of %d: %s.",
                number + 1,
                len(context.phases),
                stage.phase,
            )
        batches = input_flags.training_batches(
            context.strategy,
            stage.stream,
            context.batch_size,
            start_index=step * context.batch_size,
            mix=task.batch_mix(context),
        )
        end = training.last_step(context.phases, number, context.total_steps)
        yield fitting.Fit(stage, batches, end - step, callbacks)
        step = end

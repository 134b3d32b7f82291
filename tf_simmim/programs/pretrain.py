"""Pretrains a backbone with SimMIM.

    python experiments/pretrain.py --flagfile=vitb.flags --dataset=folder:PATH

With no flags at all it runs the demo (demo.flags). The same command, given
again, continues the run from its last checkpoint.

Ctrl-C, SIGTERM and a closed terminal (SIGHUP) end it after the current step,
with a checkpoint; its exit code is then 130, 143 or 129. Under `nohup` it
outlives the terminal.
"""

import itertools

import tensorflow as tf
from absl import flags
from absl import logging

from tf_simmim import convert
from tf_simmim import training
from tf_simmim.programs import command_line
from tf_simmim.programs import training_program
from tf_simmim.programs.flags import compute_flags
from tf_simmim.programs.flags import curriculum_flags
from tf_simmim.programs.flags import data_flags
from tf_simmim.programs.flags import model_flags  # noqa: F401  (flags)
from tf_simmim.programs.flags import online_evaluation_flags
from tf_simmim.programs.flags import optimization_flags
from tf_simmim.programs.flags import run_flags
from tf_simmim.programs.flags import strategy_flags

# So that --help shows them.
for _module in (
    compute_flags,
    curriculum_flags,
    data_flags,
    model_flags,
    online_evaluation_flags,
    optimization_flags,
    run_flags,
    strategy_flags,
):
    flags.adopt_module_key_flags(_module)


def main(argv):
    """Runs the program."""
    command_line.refuse_leftovers(argv)
    run = set_up()
    if run is None:
        return
    training_program.fit(*run)
    logging.info("Done.")


@command_line.plain_errors()
@strategy_flags.lost_workers()
@data_flags.named_errors()
def set_up():
    """Creates what `fit` needs, or returns None for a run that is complete.

    Returns:
        (iterator over the phases still to train, `training.Workers`). It makes
        a phase from the one before, so that has to be over.
    """
    strategy = strategy_flags.create_strategy()
    workers = training.Workers(strategy)
    seed = run_flags.SEED.value
    compute_flags.set_precision()

    batch_size = optimization_flags.GLOBAL_BATCH_SIZE.value
    strategy_flags.require_share(batch_size, strategy)
    with workers.together():
        source = data_flags.open_source()
    total_steps = optimization_flags.total_steps(len(source))
    schedule = optimization_flags.create_schedule(len(source))

    phases = curriculum_flags.create_phases(len(source))
    curriculum_flags.require_possible(phases, source.channels, seed)

    def create(phase):
        tf.keras.utils.set_random_seed(seed)
        with strategy.scope():
            model = curriculum_flags.create_simmim(phase, source.channels, seed)
            optimizer = optimization_flags.create_optimizer(model, schedule)
            model.compile(
                optimizer=optimizer,
                jit_compile=compute_flags.JIT_COMPILE.value,
                accumulation_steps=optimization_flags.accumulation_steps(),
                steps_per_execution=strategy_flags.STEPS_PER_EXECUTION.value,
            )
        model.normalize = data_flags.normalization().normalize
        return tf.train.Checkpoint(model=model, optimizer=optimizer)

    checkpoint = create(phases[0])

    run, store = training_program.open_run(workers)
    number = 0

    def find_checkpoint():
        nonlocal checkpoint, number
        number = curriculum_flags.trained_phase(phases, store)
        if number:
            checkpoint = create(phases[number])
        return checkpoint

    step = training_program.go_on(
        run, store, find_checkpoint, strategy, workers, source
    )
    if training_program.is_complete(run, step, total_steps):
        return None
    store.require_space(checkpoint)
    with workers.together():
        validation_source = data_flags.open_validation_source()

    def prepare(number, checkpoint, step):
        """Yields what `fit` needs, for one phase after the other."""
        while step < total_steps:
            due = training.phase_at(phases, step)
            if due != number:
                number, before = due, checkpoint.model
                checkpoint = create(phases[number])
                convert.transfer_training(before, checkpoint.model)
                del before
            phase, model = phases[number], checkpoint.model
            stream = data_flags.training_stream(
                source, model.masking.random_mask, seed, phase.image_size
            )
            with workers.together():
                run_callbacks = run_flags.create_callbacks(
                    *(run, store, checkpoint, stream, validation_source),
                    *(phases, number, schedule, step, total_steps),
                    *(strategy, workers),
                )
            if workers.is_chief:
                run.write_model(model)
            if len(phases) > 1:
                logging.info(
                    "Phase %d of %d: %s.",
                    number + 1,
                    len(phases),
                    curriculum_flags.text(phase),
                )
            batches = data_flags.training_batches(
                strategy, stream, batch_size, start_index=step * batch_size
            )
            end = training.last_step(phases, number, total_steps)
            yield model, batches, end - step, run_callbacks
            step = end

    fits = prepare(number, checkpoint, step)
    first = next(fits)
    training_program.write_settings(
        run, schedule, len(source), total_steps, batch_size, workers
    )
    # An iterator, which lets go of the first model when it is over.
    return itertools.chain(iter([first]), fits), workers


def launch(argv):
    """Runs the program, and ends the process.

    Args:
        argv: list of str. The command line, program name first.
    """
    if len(argv) == 1:
        print("No flags given: running the demo, --flagfile=demo.flags.")
        argv.append("--flagfile=demo.flags")
    command_line.run(main, argv, may_lose_output=True)

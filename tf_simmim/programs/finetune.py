"""Fine-tunes a pretrained backbone with labels, and says how good it is.

    python experiments/finetune.py --flagfile=vitb_finetune.flags \
        --pretrained=/runs/simmim_vitb --dataset=folder:PATH

--pretrained is the folder of a run of pretrain.py, or one that
convert_weights.py has made of other weights; without it, the same network
learns from scratch. With no flags at all this program fine-tunes what
the demo has learned with 100 labels (digits_finetune.flags). The same command,
given again, continues the run from its last checkpoint. At the end,
evaluation.json and confusion_matrix.png are in the run's folder.

Ctrl-C, SIGTERM and a closed terminal (SIGHUP) end it after the current step,
with a checkpoint; its exit code is then 130, 143 or 129. Under `nohup` it
outlives the terminal.
"""

import functools

import tensorflow as tf
from absl import flags
from absl import logging

from tf_simmim import training
from tf_simmim.programs import classification_results
from tf_simmim.programs import command_line
from tf_simmim.programs import training_program
from tf_simmim.programs.flags import compute_flags
from tf_simmim.programs.flags import data_flags
from tf_simmim.programs.flags import finetune_flags
from tf_simmim.programs.flags import model_flags  # noqa: F401  (flags)
from tf_simmim.programs.flags import optimization_flags
from tf_simmim.programs.flags import run_flags
from tf_simmim.programs.flags import strategy_flags

# So that --help shows them.
for _module in (
    compute_flags,
    data_flags,
    finetune_flags,
    model_flags,
    optimization_flags,
    run_flags,
    strategy_flags,
):
    flags.adopt_module_key_flags(_module)


def main(argv):
    """Runs the program."""
    command_line.refuse_leftovers(argv)
    fits, workers, finish = set_up()
    training_program.fit(fits, workers)
    finish()
    logging.info("Done.")


@command_line.plain_errors()
@strategy_flags.lost_workers()
@data_flags.named_errors()
def set_up():
    """Creates what `fit` needs.

    Returns:
        (list with what `fit` needs, or empty for a run that is complete;
        `training.Workers`; function () that evaluates in the end).
    """
    strategy = strategy_flags.create_strategy()
    workers = training.Workers(strategy)
    compute_flags.set_precision()
    batch_size = optimization_flags.GLOBAL_BATCH_SIZE.value
    strategy_flags.require_share(batch_size, strategy)
    with workers.together():
        source, held_out = finetune_flags.open_sources()
    total_steps = optimization_flags.total_steps(len(source))
    schedule = optimization_flags.create_schedule(len(source))

    mix = finetune_flags.mix(source)
    mix.require_pairs(batch_size // strategy.num_replicas_in_sync)

    pretrained = None
    if not training_program.has_checkpoints():
        pretrained = finetune_flags.load_pretrained()
    tf.keras.utils.set_random_seed(run_flags.SEED.value)
    with strategy.scope():
        model = finetune_flags.create_classifier(source, pretrained)
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
    stream = finetune_flags.training_stream(source)

    run, store = training_program.open_run(
        workers, results=("evaluation.json", "confusion_matrix.png")
    )
    step = training_program.go_on(
        run, store, lambda: checkpoint, strategy, workers, source
    )
    held_out = held_out and finetune_flags.evaluation_stream(held_out)
    finish = functools.partial(
        classification_results.evaluate,
        *(run, model, held_out, strategy, workers),
    )
    if training_program.is_complete(run, step, total_steps):
        return [], workers, finish
    store.require_space(checkpoint)
    validation = (None, None)
    if held_out is not None:
        validation = run_flags.validation_batches(strategy, held_out)
    summaries = run.summary_writer() if workers.is_chief else None
    run_callbacks = run_flags.recording_callbacks(
        *(run, store, checkpoint, stream, validation, schedule, total_steps),
        *(strategy, workers, summaries, {}),
    )
    if workers.is_chief:
        run.write_model(model)
        run_callbacks = [
            *run_flags.progress_callbacks(run, schedule, step, total_steps),
            *run_callbacks,
        ]
    batches = data_flags.training_batches(
        strategy, stream, batch_size, start_index=step * batch_size, mix=mix
    )
    training_program.write_settings(
        run, schedule, len(source), total_steps, batch_size, workers
    )
    return (
        [(model, batches, total_steps - step, run_callbacks)],
        workers,
        finish,
    )


def launch(argv):
    """Runs the program, and ends the process.

    Args:
        argv: list of str. The command line, program name first.
    """
    if len(argv) == 1:
        print("No flags given: --flagfile=digits_finetune.flags.")
        argv.append("--flagfile=digits_finetune.flags")
    finetune_flags.configure()
    command_line.run(main, argv, may_lose_output=True)

"""Trains a network to tell the class of every pixel, and says how well it does.

    python experiments/segment.py --flagfile=digit_scenes_segment.flags
    python experiments/segment.py --pretrained=runs/mine \
        --dataset=segmentation:PATH --backbone=vit_small --image_size=224

--pretrained is the folder of a run of pretrain.py; without it, the network
learns from scratch. The same command, given again, continues the run from its
last checkpoint. At the end, evaluation.json and predictions.png are in the
run's folder. See docs/segmentation.md.

Ctrl-C and SIGTERM end it after the current step, with a checkpoint; its exit
code is then 130 or 143.
"""

import functools
import sys

import command_line
import compute_flags
import data_flags
import finetune_flags
import model_flags  # noqa: F401  (flags)
import optimization_flags
import run_flags
import segment_flags
import segmentation_results
import strategy_flags
import training_program
from absl import app
from absl import flags
from absl import logging

import tf_simmim  # noqa: F401  (sets TensorFlow up; before TensorFlow itself)
from tf_simmim import training

# isort: split
import tensorflow as tf

# So that --help shows them.
for _module in (
    *(compute_flags, data_flags, finetune_flags, model_flags),
    *(optimization_flags, run_flags, segment_flags, strategy_flags),
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
    """Creates what `fit` needs; returns as `finetune.set_up` does."""
    strategy = strategy_flags.create_strategy()
    workers = training.Workers(strategy)
    compute_flags.set_precision()
    batch_size = optimization_flags.GLOBAL_BATCH_SIZE.value
    strategy_flags.require_share(batch_size, strategy)
    with workers.together():
        source, held_out = segment_flags.open_sources()
    total_steps = optimization_flags.total_steps(len(source))
    schedule = optimization_flags.create_schedule(len(source))

    pretrained = None
    if not training_program.has_checkpoints():
        pretrained = finetune_flags.load_pretrained()
    tf.keras.utils.set_random_seed(run_flags.SEED.value)
    with strategy.scope():
        model = segment_flags.create_segmenter(source, pretrained)
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
    stream = segment_flags.training_stream(source)

    run, store = training_program.open_run(workers)
    step = training_program.go_on(
        run, store, lambda: checkpoint, strategy, workers, source
    )
    names = source.segmentation_class_names
    held_out = held_out and segment_flags.evaluation_stream(held_out)
    finish = functools.partial(
        evaluate, run, model, held_out, names, strategy, workers
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


@strategy_flags.lost_workers()
@data_flags.named_errors()
def evaluate(run, model, held_out, class_names, strategy, workers):
    """Judges the model by all held-out images, and writes what it found."""
    if held_out is None:
        return
    batches, steps = run_flags.validation_batches(
        strategy, held_out, len(held_out.source)
    )
    scores = model.evaluate(batches, steps=steps, verbose=0, return_dict=True)
    if workers.is_chief:
        segmentation_results.write(
            run, model, scores["loss"], held_out, class_names
        )


if __name__ == "__main__":
    segment_flags.configure()
    app.run(main, argv=command_line.resolve(sys.argv))

"""Says what a flagfile will do, before hours of training are spent on it.

    python experiments/doctor.py --flagfile=vitb.flags --dataset=folder:PATH

takes the command line of pretrain.py, trains nothing and leaves nothing: it
prints the mask after rounding, the learning rate after scaling, what the model
costs, how fast this machine reads images and takes steps, how long training
will take, and warnings with the value to use instead.

Steps are measured on one device, with a few images (--measure_batch_size).
Without the data set, all is printed that needs none. Exit code: 0, also with
warnings; 1 when something is impossible.
"""

import sys

import command_line
import compute_flags
import data_flags
import diagnosis
import measurement
import model_flags
import optimization_flags
import run_flags
import strategy_flags
from absl import app
from absl import flags

import tf_simmim  # noqa: F401  (sets TensorFlow up; before TensorFlow itself)
from tf_simmim import masking
from tf_simmim.training import step_cost

# isort: split
import tensorflow as tf

for _module in (
    compute_flags,
    data_flags,
    model_flags,
    optimization_flags,
    run_flags,
    strategy_flags,
):
    flags.adopt_module_key_flags(_module)

_MEASURE_SECONDS = flags.DEFINE_float(
    "measure_seconds",
    10.0,
    "How long to measure each of input, step, and both; 0 to measure nothing.",
    lower_bound=0.0,
    upper_bound=3600.0,
)
_MEASURE_BATCH_SIZE = flags.DEFINE_integer(
    "measure_batch_size",
    8,
    "Images of a step that is measured, at most those of a device.",
    lower_bound=1,
)
# Masks whose mean is the distance that is printed.
_NUM_MASKS = 256


def main(argv):
    """Runs the program."""
    command_line.refuse_leftovers(argv)
    report = examine()
    print()
    for name, text in report.rows:
        print(f"{name:<15}{text}")
    if not report.warnings:
        print("\nNothing to warn of.")
    for warning in report.warnings:
        print(f"\nWarning: {warning}")


@command_line.plain_errors()
@data_flags.named_errors()
def examine():
    """Returns the `diagnosis.Report` of what the flags describe."""
    seed = run_flags.SEED.value
    tf.keras.utils.set_random_seed(seed)
    compute_flags.set_precision()
    report = diagnosis.Report()
    source = _open_source(report)
    channels = source.channels if source else 3
    model = model_flags.create_simmim(data_flags.image_size(), channels, seed)
    mask = model_flags.random_mask(model.backbone)
    diagnosis.add_mask(
        report,
        model,
        masking.expected_distance(mask, num_masks=_NUM_MASKS),
    )
    diagnosis.add_learning_rate(report)
    rate = optimization_flags.peak_learning_rate()
    if source is not None:
        rate = optimization_flags.create_schedule(len(source))
        diagnosis.add_length(report, rate, len(source))
    optimizer = optimization_flags.create_optimizer(model, rate)
    optimizer.build(model.trainable_variables)
    cost = step_cost.step_cost(model)
    diagnosis.add_cost(report, model, optimizer, cost)
    if source is None or not _MEASURE_SECONDS.value:
        return report

    model.compile(
        optimizer=optimizer, jit_compile=compute_flags.JIT_COMPILE.value
    )
    stream = data_flags.training_stream(source, mask, seed)
    batch_size = min(
        _MEASURE_BATCH_SIZE.value, optimization_flags.GLOBAL_BATCH_SIZE.value
    )
    speed = measurement.measure(
        model, stream.batches(batch_size), batch_size, _MEASURE_SECONDS.value
    )
    diagnosis.add_speed(report, speed, cost, len(source))
    return report


def _open_source(report):
    """Returns the images, or None, with a warning, where there are none."""
    try:
        source = data_flags.open_source()
    except (OSError, ValueError) as error:
        report.add("Images", "not found")
        report.warn(f"{error} So input and training time are unknown.")
        return None
    report.add("Images", f"{len(source):,} to train on, {source.name}")
    return source


if __name__ == "__main__":
    app.run(main, argv=command_line.resolve(sys.argv))

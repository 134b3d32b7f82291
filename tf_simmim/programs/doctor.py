"""Says what a flagfile will do, before hours of training are spent on it.

    python experiments/doctor.py --flagfile=vitb.flags --dataset=folder:PATH

takes the command line of pretrain.py, trains nothing and leaves nothing: it
prints the mask after rounding, the learning rate after scaling, what the model
costs, how fast this machine reads images and takes steps, how long training
will take, and warnings with the value to use instead. Of a curriculum, all but
the rates is printed for each phase.

Steps are measured on one device, with a few images (--measure_batch_size).
Without the data set, all is printed that needs none. Exit code: 0, also with
warnings; 1 when something is impossible.
"""

import tensorflow as tf
from absl import flags

from tf_simmim import masking
from tf_simmim import training
from tf_simmim.programs import command_line
from tf_simmim.programs import doctor_report
from tf_simmim.programs import open_streams
from tf_simmim.programs import pretrain
from tf_simmim.programs import pretraining_phases
from tf_simmim.programs import training_speed
from tf_simmim.programs.flags import compute_flags
from tf_simmim.programs.flags import curriculum_flags
from tf_simmim.programs.flags import data_flags
from tf_simmim.programs.flags import input_flags
from tf_simmim.programs.flags import optimization_flags
from tf_simmim.programs.flags import run_flags
from tf_simmim.training import step_cost

_MEASURE_SECONDS = flags.DEFINE_float(
    "measure_seconds",
    10.0,
    "Measure input, steps, and both together for this many seconds each; 0 "
    "measures nothing.",
    lower_bound=0.0,
    upper_bound=3600.0,
)
_MEASURE_BATCH_SIZE = flags.DEFINE_integer(
    "measure_batch_size",
    8,
    "Measure steps of this many images, at most those of one device.",
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


def examine():
    """Returns the `doctor_report.Report` of what the flags describe."""
    streams = open_streams.OpenStreams()
    with command_line.plain_errors(), streams.named_errors():
        return _examine(streams)


def _examine(streams):
    compute_flags.set_precision()
    report = doctor_report.Report()
    source = _open_source(report)
    doctor_report.add_learning_rate(report)
    rate = optimization_flags.peak_learning_rate()
    phases, channels, ends = [curriculum_flags.constant_phase()], 3, [None]
    if source is not None:
        channels = source.channels
        rate = optimization_flags.create_schedule(len(source))
        doctor_report.add_length(report, rate, len(source))
        phases = curriculum_flags.create_phases(len(source))
        total_steps = optimization_flags.total_steps(len(source))
        ends = [
            training.last_step(phases, number, total_steps)
            for number in range(len(phases))
        ]
    elif curriculum_flags.has_schedules():
        report.warn(
            "Without images, an epoch has no known number of steps: schedules "
            "are left out, and what follows is of --image_size, --mask_ratio "
            "and --mask_patch_size."
        )
    pretraining_phases.require_possible(phases, channels, run_flags.SEED.value)

    parts = []
    for number, (phase, end) in enumerate(zip(phases, ends, strict=True)):
        if len(phases) > 1:
            report.add(f"Phase {number + 1}", str(phase))
        speed = _examine_phase(report, phase, source, channels, rate, streams)
        if speed is not None:
            steps = end - phase.first_step
            images = steps * optimization_flags.GLOBAL_BATCH_SIZE.value
            parts.append((images, speed.together))
    if parts:
        doctor_report.add_time(report, len(source), parts)
    return report


def _examine_phase(report, phase, source, channels, rate, streams):
    """Adds what a phase is and costs; returns its `Speed`, if measured."""
    seed = run_flags.SEED.value
    tf.keras.utils.set_random_seed(seed)
    model = pretraining_phases.create_simmim(phase, channels, seed)
    mask = model.random_mask
    doctor_report.add_mask(
        report, model, masking.expected_distance(mask, num_masks=_NUM_MASKS)
    )
    optimizer = optimization_flags.create_optimizer(model, rate)
    optimizer.build(model.trainable_variables)
    cost = step_cost.step_cost(model)
    doctor_report.add_cost(report, model, optimizer, cost)
    if source is None or not _MEASURE_SECONDS.value:
        return None

    model.compile(
        optimizer=optimizer, jit_compile=compute_flags.JIT_COMPILE.value
    )
    normalization = input_flags.normalization(source)
    model.normalize = normalization.normalize
    stream = streams.add(
        input_flags.training_stream(
            source,
            normalization,
            random_mask=mask,
            seed=seed,
            size=phase.image_size,
        )
    )
    batch_size = min(
        _MEASURE_BATCH_SIZE.value, optimization_flags.GLOBAL_BATCH_SIZE.value
    )
    speed = training_speed.measure(
        model, stream.batches(batch_size), batch_size, _MEASURE_SECONDS.value
    )
    doctor_report.add_speed(report, speed, cost)
    return speed


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


def launch(argv):
    """Runs the program, and ends the process.

    Args:
        argv: list of str. The command line, program name first.
    """
    command_line.run(main, argv, flag_groups=pretrain.Pretraining.flag_groups)

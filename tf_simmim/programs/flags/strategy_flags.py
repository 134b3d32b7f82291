"""Flags for where a run trains: devices, workers, TPUs.

They change its speed and not its result, so a run may be continued with
others.
"""

import contextlib
import sys

import tensorflow as tf
from absl import flags
from absl import logging

from tf_simmim import training
from tf_simmim.training import tf_config

_STRATEGY = flags.DEFINE_enum(
    "strategy",
    "auto",
    training.STRATEGIES,
    "Train on these devices: one, all GPUs of this machine (mirrored), those "
    "of all workers in TF_CONFIG (multiworker), a TPU, or what there is "
    "(auto).",
)
_TPU = flags.DEFINE_string(
    "tpu",
    None,
    "Train on the TPU of this name or address; local is this machine's. By "
    "default no TPU is named, and none is used.",
)
_NUM_CPU_REPLICAS = flags.DEFINE_integer(
    "num_cpu_replicas",
    None,
    "Split the processor into so many devices, to try --strategy=mirrored "
    "without GPUs; nothing gets faster. By default it is one device.",
    lower_bound=1,
)
STEPS_PER_EXECUTION = flags.DEFINE_integer(
    "steps_per_execution",
    1,
    "Take this many steps in one go, which hides the time that each start "
    "takes, above all on TPUs. Signals, rows of metrics and checkpoints wait "
    "for all of them.",
    lower_bound=1,
)

# A run may be continued with other values of these.
CHANGEABLE = ("strategy", "tpu", "num_cpu_replicas", "steps_per_execution")


def create_strategy() -> tf.distribute.Strategy:
    """Creates the strategy of the flags; before anything else is done."""
    if _NUM_CPU_REPLICAS.value is not None:
        tf.config.set_logical_device_configuration(
            tf.config.list_physical_devices("CPU")[0],
            [tf.config.LogicalDeviceConfiguration()] * _NUM_CPU_REPLICAS.value,
        )
    # A line for every operation between workers would bury the run's own.
    tf.get_logger().setLevel("WARNING")
    return training.create_strategy(_STRATEGY.value, _TPU.value or None)


# What a collective operation ends with when another worker has gone.
_LOSSES = (
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError,
    tf.errors.InternalError,
    tf.errors.UnavailableError,
)


@contextlib.contextmanager
def lost_workers():
    """Ends the program with one sentence when another worker has gone.

    Raises:
        SystemExit: in the place of TensorFlow's errors.
    """
    try:
        yield
    except _LOSSES as error:
        addresses = tf_config.workers()
        if len(addresses) < 2:
            raise
        lines = [line.strip() for line in error.message.splitlines()]
        why = next((line for line in reversed(lines) if line), "")
        sys.exit(
            f"Error: another worker of {', '.join(addresses)} has ended or "
            "cannot be reached. Start the same command on all of them again: "
            "it continues from the last checkpoint. "
            f"({type(error).__name__}: {why})"
        )


def warn_of_other_replicas(manifest, strategy):
    """Warns when a run goes on with another number of replicas than before."""
    now = strategy.num_replicas_in_sync
    before = manifest["metadata"].get("num_replicas", 1)
    if before != now:
        logging.warning(
            "The checkpoint is of a run on %d replicas, and there are %d now. "
            "Continuing with the same images and masks, but not bit-exact.",
            before,
            now,
        )


def require_share(batch_size, strategy):
    """Refuses a global batch that the replicas cannot share evenly.

    Raises:
        ValueError: it is no multiple of their number; the message has the
            nearest that are.
    """
    replicas = strategy.num_replicas_in_sync
    if batch_size % replicas == 0:
        return
    below = max(batch_size // replicas, 1) * replicas
    above = -(-batch_size // replicas) * replicas
    nearest = " or ".join(str(n) for n in sorted({below, above}))
    raise ValueError(
        f"--global_batch_size must be a multiple of the {replicas} replicas; "
        f"the nearest that works is {nearest}. Received: {batch_size}."
    )

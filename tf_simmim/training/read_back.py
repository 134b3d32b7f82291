"""Looks at a checkpoint as it is on the disk, before it counts as one."""

from pathlib import Path

import numpy as np
import tensorflow as tf


def require_finite(prefix: Path) -> None:
    """Reads every tensor back (TensorFlow checks its CRC) and looks at it.

    Args:
        prefix: path. Prefix of the files that `Checkpoint.write` made.

    Raises:
        FloatingPointError: a tensor holds numbers that are not finite; the
            message names it.
        IndexError, tf.errors.OpError: a file is not what was written.
    """
    reader = tf.train.load_checkpoint(str(prefix))
    for name, dtype in sorted(reader.get_variable_to_dtype_map().items()):
        value = reader.get_tensor(name)
        if dtype.is_floating and not np.isfinite(value).all():
            raise FloatingPointError(
                f"Not saved: {name.split('/.ATTRIBUTES/')[0]} holds numbers "
                "that are not finite."
            )

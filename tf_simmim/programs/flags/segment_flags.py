"""Flags of segmentation: the classes of pixels."""

from absl import flags

SEGMENTATION_CLASS_NAMES = flags.DEFINE_list(
    "segmentation_class_names",
    None,
    "Names of the classes 0, 1, 2, ... in the masks of tfds:NAME, where the "
    "data set does not name them itself.",
)
_CLASS_WEIGHTS = flags.DEFINE_list(
    "class_weights",
    None,
    "How much a pixel of each class counts in the loss: a positive number for "
    "each, in the order of their names. Default: all the same.",
)


def class_weights(names):
    """Returns --class_weights as a list of float, or None.

    Args:
        names: sequence of str, of the classes.

    Raises:
        ValueError: they are not one positive number for each.
    """
    given = _CLASS_WEIGHTS.value
    if given is None:
        return None
    try:
        weights = [float(weight) for weight in given]
        is_right = len(weights) == len(names) and min(weights) > 0
    except ValueError:
        is_right = False
    if not is_right:
        raise ValueError(
            f"--class_weights must be {len(names)} positive numbers, for "
            f"{', '.join(names)}. Received: {','.join(given)}."
        )
    return weights

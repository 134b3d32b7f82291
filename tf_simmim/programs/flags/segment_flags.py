"""Flags of segmentation: the classes of pixels."""

from absl import flags

SEGMENTATION_CLASS_NAMES = flags.DEFINE_list(
    "segmentation_class_names",
    None,
    "Call the classes 0, 1, 2, ... in the masks of tfds:NAME by these names. "
    "By default they are those of the data set, and needed where it has none.",
)
_CLASS_WEIGHTS = flags.DEFINE_list(
    "class_weights",
    None,
    "Weigh the pixels of each class in the loss by these positive numbers, in "
    "the order of the classes' names. By default all weigh the same.",
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

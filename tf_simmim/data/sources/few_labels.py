"""A few images of each class: what somebody has had the time to label."""

import numpy as np
import tensorflow as tf

from tf_simmim import randomness
from tf_simmim.data import order
from tf_simmim.data.sources import chosen_images


class FewLabels(chosen_images.ChosenImages):
    """The same number of images of every class of a source, drawn from a seed.

    Of each class, the images are put in an order that is drawn for it, and
    the first ones are taken; so the images of 100 labels are among those of
    200. See `ChosenImages`.

    Args:
        whole: `Source` with labels and class names.
        num_labels: int > 0, a multiple of the number of classes. Images to
            keep.
        seed: int. Of the run.

    Raises:
        ValueError: `whole` has no labels or no class names, `num_labels` is
            no such multiple (the message names the nearest that are), or a
            class has fewer images.

    Randomness: stateless, all from `seed`.
    """

    def __init__(self, whole, num_labels, seed=0):
        if whole.class_names is None:
            raise ValueError(
                "`whole` must have labels with class names, to take the same "
                f"number of each. Received: {whole.name}, which has none."
            )
        num_classes = len(whole.class_names)
        if num_labels < 1 or num_labels % num_classes:
            below = max(num_labels // num_classes, 1) * num_classes
            above = max(-(-num_labels // num_classes), 1) * num_classes
            nearest = " or ".join(str(n) for n in sorted({below, above}))
            raise ValueError(
                "`num_labels` must be a multiple of the number of classes, "
                f"{num_classes}; the nearest that works is {nearest}. "
                f"Received: {num_labels}."
            )
        super().__init__(
            whole,
            _choose(whole, num_labels // num_classes, seed),
            f"{num_labels} labels",
        )


def _choose(whole, num_per_class, seed):
    """Returns the positions of the chosen images, increasing."""
    labels = whole.labels()
    chosen = []
    for label, name in enumerate(whole.class_names):
        (positions,) = np.nonzero(labels == label)
        if len(positions) < num_per_class:
            raise ValueError(
                f"`num_labels` must leave {num_per_class} images of every "
                f"class. Received: {whole.name} with {len(positions)} of "
                f"{name!r}."
            )
        places = order.shuffled(
            tf.range(num_per_class, dtype=tf.int64),
            len(positions),
            randomness.seed_for(seed, randomness.FEW_LABELS, label),
        )
        chosen.append(positions[places.numpy()])
    return np.sort(np.concatenate(chosen)).astype(np.int64)

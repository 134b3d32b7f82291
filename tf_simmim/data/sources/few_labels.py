"""A few images of each class: what somebody has had the time to label."""

import hashlib

import numpy as np
import tensorflow as tf

from tf_simmim import randomness
from tf_simmim.data import order
from tf_simmim.data.sources import source


class FewLabels(source.Source):
    """The same number of images of every class of a source, drawn from a seed.

    Of each class, the images are put in an order that is drawn for it, and
    the first ones are taken; so the images of 100 labels are among those of
    200. They keep the order of the source.

    A streaming source is still read whole in every epoch, and only what was
    chosen is decoded.

    Args:
        whole: `Source` with labels and class names.
        num_labels: int > 0, a multiple of the number of classes. Images to
            keep.
        seed: int. Of the run.

    Attributes: those of `Source`, and
        whole: `Source`.
        indices: int64 [num_labels]. Their positions in `whole`, increasing.

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
        self.indices = _choose(whole, num_labels // num_classes, seed)
        super().__init__(
            name=f"{whole.name} ({num_labels} labels)",
            num_images=num_labels,
            channels=whole.channels,
            class_names=whole.class_names,
            mean=whole.mean,
            std=whole.std,
            random_access=whole.random_access,
        )
        self.whole = whole
        self.reads_files = whole.reads_files
        with tf.device("CPU:0"):
            self._indices = tf.constant(self.indices)

    def describe(self, index):
        return self.whole.describe(self.indices[int(index)])

    def digest(self):
        chosen = hashlib.sha256(self.indices.tobytes()).hexdigest()[:16]
        return f"{len(self)} of {self.whole.digest()}, {chosen}"

    def damage(self):
        return self.whole.damage()

    def labels(self):
        return self.whole.labels()[self.indices]

    def read(self, index):
        return self.whole.read(tf.gather(self._indices, index))

    def records(self, order_seed, shuffle=True):
        def place(record):
            return tf.searchsorted(self._indices, record["index"][None])[0]

        def is_chosen(record):
            at = tf.minimum(place(record), len(self) - 1)
            return tf.equal(self._indices[at], record["index"])

        records = self.whole.records(order_seed, shuffle).filter(is_chosen)
        return records.map(
            lambda record: {
                **record,
                "index": tf.cast(place(record), tf.int64),
            }
        )

    def decode(self, record):
        # Messages name the image by its place in the whole.
        index = tf.gather(self._indices, record["index"])
        return self.whole.decode({**record, "index": index})


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

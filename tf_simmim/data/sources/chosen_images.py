"""Some images of a source, as a source of their own."""

import hashlib

import numpy as np
import tensorflow as tf

from tf_simmim.data.sources import source


class ChosenImages(source.Source):
    """Those images of a source that a list names, in the source's order.

    A streaming source is still read whole in every epoch, and only what was
    chosen is decoded.

    Args:
        whole: `Source`.
        indices: int64 [n]. Positions in `whole`, increasing.
        note: str. What was chosen, for the name.

    Attributes: those of `Source`, and `whole` and `indices`.
    """

    def __init__(self, whole, indices, note):
        super().__init__(
            name=f"{whole.name} ({note})",
            num_images=len(indices),
            channels=whole.channels,
            class_names=whole.class_names,
            segmentation_class_names=whole.segmentation_class_names,
            box_class_names=whole.box_class_names,
            mean=whole.mean,
            std=whole.std,
            random_access=whole.random_access,
        )
        self.whole = whole
        self.indices = np.asarray(indices, np.int64)
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

    def encoded_images(self, count):
        return self.whole.encoded_images(count)

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

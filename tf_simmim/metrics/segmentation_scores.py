"""Scores of a segmentation, from the confusion matrix of its pixels.

Dimension key:
  L: classes
"""

import numpy as np
import tensorflow as tf


@tf.keras.saving.register_keras_serializable(package="tf_simmim")
class SegmentationScores(tf.keras.metrics.Metric):
    """Counts pixels by true and predicted class, over all replicas.

    With n[t, p] pixels of class t that were taken for p:

        accuracy = sum_c n[c, c] / sum(n)
        iou[c] = n[c, c] / (sum_p n[c, p] + sum_t n[t, c] - n[c, c])
        mean_iou = mean of iou[c] over the classes that are there, in truth
                   or prediction

    Args:
        num_classes: int > 0, L.
        ignore_label: int. Pixels with this class in truth are not counted.
        name: str.
        dtype: ignored; counts are float64, exact up to 2^53 pixels.

    Call arguments of `update_state`:
        segmentation: int or uint8 of any shape. The true classes.
        prediction: int, as many numbers. The predicted ones.

    Returns:
        dict: `accuracy` and `mean_iou`, float32 []; NaN without any pixel.

    Raises:
        ValueError: `num_classes` is not positive, or `ignore_label` is one
            of the classes.

    Source: Everingham et al., The PASCAL Visual Object Classes Challenge: A
        Retrospective, 2015, section 3.2; counts are of the whole data set,
        not a mean over images.
    """

    def __init__(
        self, num_classes, ignore_label=255, name="scores", dtype=None
    ):
        super().__init__(name=name, dtype="float32")
        require_classes(num_classes, ignore_label)
        self.num_classes = num_classes
        self.ignore_label = ignore_label
        self._counts = self.add_weight(
            "counts",
            [num_classes, num_classes],
            initializer="zeros",
            dtype=tf.float64,
        )

    def update_state(self, segmentation, prediction):
        truth = tf.reshape(tf.cast(segmentation, tf.int32), [-1])
        prediction = tf.reshape(tf.cast(prediction, tf.int32), [-1])
        size = self.num_classes**2
        place = truth * self.num_classes + prediction
        # What is ignored is counted at one place more.
        place = tf.where(truth == self.ignore_label, size, place)
        counts = tf.math.bincount(
            place, minlength=size + 1, maxlength=size + 1, dtype=tf.int32
        )
        counts = tf.cast(counts[:size], tf.float64)
        self._counts.assign_add(
            tf.reshape(counts, [self.num_classes, self.num_classes])
        )

    def result(self):
        counts = tf.convert_to_tensor(self._counts)
        right = tf.linalg.diag_part(counts)
        union = tf.reduce_sum(counts, 0) + tf.reduce_sum(counts, 1) - right
        is_there = union > 0
        iou = tf.where(is_there, right / tf.where(is_there, union, 1.0), 0.0)
        num_there = tf.reduce_sum(tf.cast(is_there, tf.float64))
        accuracy = tf.reduce_sum(right) / tf.reduce_sum(counts)
        return {
            "accuracy": tf.cast(accuracy, tf.float32),
            "mean_iou": tf.cast(tf.reduce_sum(iou) / num_there, tf.float32),
        }

    def reset_state(self):
        """Forgets what was counted."""
        self._counts.assign(tf.zeros(self._counts.shape, tf.float64))

    def counts(self) -> np.ndarray:
        """Returns int64 [L, L], rows the true classes; in eager mode."""
        return self._counts.numpy().astype(np.int64)

    def iou(self) -> np.ndarray:
        """Returns float64 [L]; NaN for a class that is nowhere; eagerly."""
        counts = self.counts()
        right = np.diag(counts)
        union = counts.sum(axis=0) + counts.sum(axis=1) - right
        return np.where(union > 0, right / np.maximum(union, 1), np.nan)

    def get_config(self):
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "ignore_label": self.ignore_label,
        }


def require_classes(num_classes: int, ignore_label: int) -> None:
    """Refuses a number of classes, or one of them as the one to ignore."""
    if num_classes < 1:
        raise ValueError(
            f"`num_classes` must be positive. Received: {num_classes}."
        )
    if 0 <= ignore_label < num_classes:
        raise ValueError(
            "`ignore_label` must be none of the classes, "
            f"0..{num_classes - 1}. Received: {ignore_label}."
        )

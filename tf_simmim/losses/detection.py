"""Focal loss of the classes of anchors, and smooth L1 of their boxes.

Dimension key:
  B: batch   A: anchors of an image   L: classes   K: micro-batches
"""

import tensorflow as tf

from tf_simmim import addons
from tf_simmim import boxes


def detection_losses(box, classification, box_targets, class_targets) -> tuple:
    """Returns the loss of classes and that of boxes, of a batch.

        classification = sum_a focal(logits[a], class[a]) / n
        box = sum_(a on an object) mean_4 smooth_l1(offsets[a] - target[a]) / n

    where n is what `count_positives` gives. Anchors that are `IGNORED` count
    in neither. focal(p) = -0.25 (1 - p)^2 log(p) of the class that is there,
    and -0.75 p^2 log(1 - p) of each that is not.

    Args:
        box: float32 [B, A, 4]. Offsets.
        classification: float32 [B, A, L]. Logits.
        box_targets: float32 [B, A, 4], as from `boxes.AnchorTargets`.
        class_targets: int32 [B, A], likewise.

    Returns:
        (float32 [], float32 []). A mean over the anchors on objects of the
        batch that it is given; see `count_positives` for what it counts among
        others.

    Source: Lin et al., Focal Loss for Dense Object Detection, 2017,
        https://arxiv.org/abs/1708.02002, sections 3 and 4.1, as keras-cv's
        RetinaNet has them. Its `FocalLoss` gives the same numbers; but in
        float64, and without a gradient where an anchor is quite sure: so here
        it is that of `addons`. Differs from the paper: see
        `count_positives`.
    """
    # Imported here, as everywhere: it takes seconds.
    import keras_cv

    count = tf.reduce_sum(count_positives(class_targets))
    is_object = tf.cast(class_targets >= 0, tf.float32)  # [B, A]
    is_counted = tf.cast(class_targets != boxes.IGNORED, tf.float32)
    # Rows of zeros where there is no object.
    wanted = tf.one_hot(class_targets, classification.shape[-1])  # [B, A, L]
    focal = addons.sigmoid_focal_crossentropy(
        wanted, classification, alpha=0.25, gamma=2.0, from_logits=True
    )  # [B, A]
    smooth_l1 = keras_cv.losses.SmoothL1Loss(l1_cutoff=1.0, reduction="sum")
    # What has no object has no offsets either: 0 times anything is 0.
    box_targets = tf.where(is_object[..., tf.newaxis] > 0, box_targets, 0.0)
    return (
        tf.reduce_sum(focal * is_counted) / count,
        smooth_l1(box_targets, box, sample_weight=is_object) / count,
    )


def count_positives(class_targets: tf.Tensor) -> tf.Tensor:
    """Returns how many anchors are on objects, of each first index.

    An image without any counts as if it had one, so that what is found in it
    wrongly counts however a batch is shared among replicas.

    Args:
        class_targets: int [K, ..., A].

    Returns:
        float32 [K].
    """
    is_object = tf.cast(class_targets >= 0, tf.float32)
    counts = tf.maximum(tf.reduce_sum(is_object, axis=-1), 1.0)  # [K, ...]
    return tf.reduce_sum(counts, axis=list(range(1, len(counts.shape))))

"""What each anchor is to learn: a class or none, and a box.

Dimension key:
  B: batch   A: anchors of an image   N: boxes of an image, at most
"""

import tensorflow as tf

from tf_simmim.boxes import offsets

# Of anchors that are on nothing, and of those that are neither on an object
# nor far enough from all.
BACKGROUND, IGNORED = -1, -2


class AnchorTargets:
    """Finds for each anchor the box that it overlaps most.

    With the largest intersection over union of an anchor with any box:

        0.5 or more: it learns that box, and its class;
        below 0.4:   it learns that there is nothing (`BACKGROUND`);
        in between:  it learns nothing (`IGNORED`).

    So a box that no anchor overlaps by half is not learned.

    Args:
        anchors: float32 [A, 4], from `create_anchors`.

    Call arguments:
        boxes: float32 [B, N, 4]: top, left, bottom, right, px.
        box_classes: int [B, N]. -1 where there is no box.

    Returns:
        (float32 [B, A, 4], int32 [B, A]): the offsets of `encode_boxes`,
        which mean something where there is a class; and the class,
        `BACKGROUND` or `IGNORED`.

    Source: Lin et al., Focal Loss for Dense Object Detection, 2017,
        https://arxiv.org/abs/1708.02002, section 4. Overlaps and matches are
        those of keras-cv; its `LabelEncoder` gives the same, and keeps a
        metric of its own besides.
    """

    def __init__(self, anchors):
        # Imported here, as everywhere: it takes seconds.
        import keras_cv

        self._anchors = anchors
        self._overlaps = keras_cv.bounding_box.compute_iou
        self._match = keras_cv.layers.BoxMatcher(
            thresholds=[0.4, 0.5],
            match_values=[BACKGROUND, IGNORED, 1],
            # float32 whatever the model's precision is.
            dtype="float32",
        )

    def __call__(self, boxes, box_classes):
        boxes = tf.cast(boxes, tf.float32)
        box_classes = tf.cast(box_classes, tf.int32)
        num_anchors = self._anchors.shape[0]
        # Image by image: overlaps of a whole batch could take gigabytes.
        return tf.map_fn(
            lambda image: self._of_image(*image),
            (boxes, box_classes),
            fn_output_signature=(
                tf.TensorSpec([num_anchors, 4], tf.float32),
                tf.TensorSpec([num_anchors], tf.int32),
            ),
        )

    def _of_image(self, boxes, box_classes):
        anchors = tf.constant(self._anchors)
        # What is no box has no area, and overlaps nothing.
        is_box = (box_classes >= 0)[:, tf.newaxis]
        overlaps = self._overlaps(anchors, tf.where(is_box, boxes, 0.0), "yxyx")
        index, match = self._match(overlaps)
        target = offsets.encode_boxes(tf.gather(boxes, index), anchors)
        match = tf.cast(match, tf.int32)
        classes = tf.where(match == 1, tf.gather(box_classes, index), match)
        return target, classes

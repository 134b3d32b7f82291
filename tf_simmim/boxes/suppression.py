"""Detections from what a detector says of every anchor.

Dimension key:
  B: batch   A: anchors of an image   L: classes   M: most detections
"""

import tensorflow as tf

from tf_simmim.boxes import offsets

# Of an image, before boxes that overlap are removed.
_MAX_CANDIDATES = 1000


class Suppression:
    """Takes the surest boxes, and removes those that overlap surer ones.

    Each anchor stands for its surest class alone, and a box is removed by a
    surer one of any class.

    Args:
        anchors: float32 [A, 4], from `create_anchors`.
        image_size: (height, width), px.
        confidence_threshold: float in [0, 1]. What is less sure is left out;
            0.05 in the paper.
        iou_threshold: float in [0, 1]. Boxes that overlap by as much, as
            intersection over union, are the same; 0.5 in the paper.
        max_detections: int > 0, M. 100 is what COCO counts.

    Call arguments:
        box: float32 [B, A, 4]. Offsets from the anchors.
        classification: float32 [B, A, L]. Logits.

    Returns:
        dict, the surest first; -1 where there is nothing any more:

            boxes          float32 [B, M, 4]; top, left, bottom, right, px
            classes        int64 [B, M]
            confidence     float32 [B, M], in 0..1
            num_detections int32 [B]

    Raises:
        ValueError: a threshold is out of [0, 1], or `max_detections` is not
            positive.

    Source: Lin et al., Focal Loss for Dense Object Detection, 2017,
        https://arxiv.org/abs/1708.02002, section 4.1, with
        `keras_cv.layers.NonMaxSuppression`. Differs from the paper: the 1,000
        surest anchors are taken of all levels together.
    """

    def __init__(
        self,
        anchors,
        image_size,
        confidence_threshold=0.05,
        iou_threshold=0.5,
        max_detections=100,
    ):
        for name, value in (
            ("confidence_threshold", confidence_threshold),
            ("iou_threshold", iou_threshold),
        ):
            if not 0 <= value <= 1:
                raise ValueError(
                    f"`{name}` must lie in [0, 1]. Received: {value}."
                )
        if max_detections < 1:
            raise ValueError(
                f"`max_detections` must be positive. Received: "
                f"{max_detections}."
            )
        # Imported here, as everywhere: it takes seconds.
        import keras_cv

        self._anchors = anchors
        self._image_size = image_size
        self._suppress = keras_cv.layers.NonMaxSuppression(
            bounding_box_format="yxyx",
            from_logits=True,
            iou_threshold=iou_threshold,
            confidence_threshold=confidence_threshold,
            max_detections=max_detections,
            # float32 whatever the model's precision is.
            dtype="float32",
        )

    def __call__(self, box, classification):
        num_candidates = min(_MAX_CANDIDATES, len(self._anchors))
        surest = tf.reduce_max(classification, axis=-1)  # [B, A]
        _, index = tf.math.top_k(surest, num_candidates)
        box, classification = (
            tf.gather(each, index, batch_dims=1)
            for each in (box, classification)
        )
        anchors = tf.gather(tf.constant(self._anchors), index)
        boxes = offsets.decode_boxes(box, anchors, self._image_size)
        found = self._suppress(boxes, classification)
        return {
            "boxes": found["boxes"],
            "classes": tf.cast(found["classes"], tf.int64),
            "confidence": found["confidence"],
            "num_detections": tf.cast(found["num_detections"], tf.int32),
        }

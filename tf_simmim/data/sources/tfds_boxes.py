"""The boxes of a data set of TensorFlow Datasets, if it has any.

Dimension key:
  n: objects of an image   N: those that are kept, at most
"""

import tensorflow as tf

# COCO has 93 in an image.
MAX_BOXES = 100


def wanted(tfds, features):
    """Returns the feature of the boxes, of which the rest is left out.

    Args:
        tfds: the module.
        features: dict of the data set's features.

    Returns:
        A feature of `bbox`, `label` and, if there is one, `is_crowd`; or None
        without boxes that have a class with a name.
    """
    objects = features.get("objects")
    parts = getattr(objects, "feature", None)
    if not isinstance(objects, tfds.features.Sequence) or not isinstance(
        parts, tfds.features.FeaturesDict
    ):
        return None
    parts = dict(parts.items())
    box, label = parts.get("bbox"), parts.get("label")
    if not isinstance(box, tfds.features.BBoxFeature) or not isinstance(
        label, tfds.features.ClassLabel
    ):
        return None
    kept = {"bbox": box, "label": label}
    if "is_crowd" in parts:
        kept["is_crowd"] = parts["is_crowd"]
    return tfds.features.Sequence(kept)


def boxes_of(objects, image) -> dict:
    """Returns the boxes of an image as a source has them.

    Groups and boxes without a finite area are left out, and so is what comes
    after the first `MAX_BOXES`.

    Args:
        objects: dict of `bbox` float32 [n, 4]: top, left, bottom, right, as
            shares of the sides; `label` int64 [n]; perhaps `is_crowd` bool
            [n].
        image: uint8 [H, W, C].

    Returns:
        dict: `boxes` float32 [N, 4], px, and `box_classes` int64 [N]; -1
        where there is no box.
    """
    boxes, classes = objects["bbox"], tf.cast(objects["label"], tf.int64)
    is_kept = tf.reduce_all(boxes[:, 2:] > boxes[:, :2], axis=-1)
    is_kept &= tf.reduce_all(tf.math.is_finite(boxes), axis=-1)
    if "is_crowd" in objects:
        is_kept &= ~objects["is_crowd"]
    sides = tf.cast(tf.shape(image)[:2], tf.float32)
    boxes *= tf.concat([sides, sides], axis=0)
    boxes = tf.boolean_mask(boxes, is_kept)[:MAX_BOXES]
    classes = tf.boolean_mask(classes, is_kept)[:MAX_BOXES]
    missing = [0, MAX_BOXES - tf.shape(classes)[0]]
    boxes = tf.pad(boxes, [missing, [0, 0]], constant_values=-1.0)
    classes = tf.pad(classes, [missing], constant_values=-1)
    return {
        "boxes": tf.ensure_shape(boxes, [MAX_BOXES, 4]),
        "box_classes": tf.ensure_shape(classes, [MAX_BOXES]),
    }

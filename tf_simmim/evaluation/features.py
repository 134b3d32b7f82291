"""Frozen features of a data set, for judging a backbone without training it.

Dimension key:
  B: batch   N: number of images   H W: image, px   C: channels
  h w: grid of patches   D: num_features
"""

import numpy as np
import tensorflow as tf
import tqdm


def extract_features(backbone, dataset, blocks):
    """Returns each block's mean patch token for every image, and the labels.

    Images are seen whole (no mask), by the backbone as it is (no training).

    Args:
        backbone: a backbone of `tf_simmim.backbones`.
        dataset: finite tf.data.Dataset of batched elements: dicts with
            `image` float32 [B, H, W, C], normalised, and `label` int [B].
        blocks: sequence of int in [0, num_blocks). Which blocks.

    Returns:
        ({block: float32 [N, D]}, int64 [N]): features and labels, in the
        data set's order.

    Raises:
        ValueError: the elements have no `label`, or there are none.
    """
    blocks = tuple(blocks)
    image_shape = [None, *backbone.image_size, backbone.channels]

    # One trace for full batches and for a shorter last one.
    @tf.function(input_signature=[tf.TensorSpec(image_shape, tf.float32)])
    def mean_tokens(images):
        feature_maps = backbone.block_features(images, blocks)
        return [
            tf.reduce_mean(tf.cast(feature_map, tf.float32), axis=[1, 2])
            for feature_map in feature_maps
        ]  # [B, D] each

    parts, labels = _over_batches(dataset, mean_tokens, "features")
    features = zip(*parts, strict=True)
    return dict(zip(blocks, map(np.concatenate, features), strict=True)), labels


def raw_pixel_features(dataset, largest_side=32):
    """Returns the pixels themselves as features, and the labels.

    What any backbone has to beat; on small, centred, clean images it is a
    strong baseline.

    Args:
        dataset: as in `extract_features`.
        largest_side: int, px. Larger images are averaged down to it, keeping
            their aspect, so that thousands of them fit into memory.

    Returns:
        (float32 [N, H * W * C], int64 [N]), with H and W at most
        `largest_side`.

    Raises:
        ValueError: the elements have no `label`, or there are none.
    """

    def flatten(images):
        height, width = images.shape[1:3]
        scale = min(1.0, largest_side / max(height, width))
        size = [max(1, round(side * scale)) for side in (height, width)]
        if scale < 1.0:
            images = tf.image.resize(images, size, method="area")
        return tf.reshape(images, [tf.shape(images)[0], -1])

    parts, labels = _over_batches(dataset, flatten, "pixels")
    return np.concatenate(parts), labels


def _over_batches(dataset, function, description):
    """Returns ([function(images) as numpy, per batch], labels)."""
    total = int(dataset.cardinality())
    results, labels = [], []
    batches = tqdm.tqdm(
        dataset,
        desc=description,
        total=total if total >= 0 else None,
        leave=False,
        disable=None,  # shown in a terminal only
    )
    for element in batches:
        if not isinstance(element, dict) or "label" not in element:
            raise ValueError(
                "`dataset` must yield elements with the key `label`. "
                f"Received: {dataset.element_spec}."
            )
        result = function(element["image"])
        results.append(tf.nest.map_structure(lambda t: t.numpy(), result))
        labels.append(element["label"].numpy())
    if not results:
        raise ValueError(
            "`dataset` must have at least one batch. Received: an empty one."
        )
    return results, np.concatenate(labels).astype(np.int64)

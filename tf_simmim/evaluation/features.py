"""Frozen features of a data set, for judging a backbone without training it.

Dimension key:
  B: batch   N: number of images   H W: image, px   C: channels
  h w: grid of patches   D: num_features
"""

import numpy as np
import tensorflow as tf
import tqdm


class FeatureExtractor:
    """Computes each block's mean patch token, for one data set or many.

    Images are seen whole (no mask), by the backbone as it is (no training):
    an extractor of a backbone in training sees what it has learned so far,
    and changes nothing of it.

    Args:
        backbone: a backbone of `tf_simmim.backbones`.
        blocks: sequence of int in [0, num_blocks). Which blocks, each once.

    Attributes:
        blocks: tuple of int.

    Call arguments:
        dataset: finite tf.data.Dataset of batched elements: dicts with
            `image` float32 [B, H, W, C], normalised, and `label` int [B].

    Returns:
        ({block: float32 [N, D]}, int64 [N]): features and labels, in the
        data set's order.

    Raises:
        ValueError: a block is not in [0, num_blocks), is named twice, or none
            is; the elements have no `label`, or there are none.
    """

    def __init__(self, backbone, blocks):
        self.blocks = tuple(blocks)
        known = range(backbone.num_blocks)
        if (
            not self.blocks
            or len(set(self.blocks)) < len(self.blocks)
            or not set(self.blocks) <= set(known)
        ):
            raise ValueError(
                "`blocks` must be different numbers in [0, "
                f"{backbone.num_blocks}), one at least. "
                f"Received: {self.blocks}."
            )
        image_shape = [None, *backbone.image_size, backbone.channels]

        # One trace for full batches, for a shorter last one, and for every
        # data set.
        @tf.function(input_signature=[tf.TensorSpec(image_shape, tf.float32)])
        def mean_tokens(images):
            feature_maps = backbone.block_features(images, self.blocks)
            return [
                tf.reduce_mean(tf.cast(feature_map, tf.float32), axis=[1, 2])
                for feature_map in feature_maps
            ]  # [B, D] each

        self._mean_tokens = mean_tokens

    def __call__(self, dataset):
        parts, labels = _over_batches(dataset, self._mean_tokens, "features")
        features = map(np.concatenate, zip(*parts, strict=True))
        return dict(zip(self.blocks, features, strict=True)), labels


def extract_features(backbone, dataset, blocks):
    """Returns each block's mean patch token for every image, and the labels.

    Args:
        backbone: a backbone of `tf_simmim.backbones`.
        dataset: finite tf.data.Dataset, see `FeatureExtractor`.
        blocks: sequence of int in [0, num_blocks). Which blocks, each once.

    Returns:
        ({block: float32 [N, D]}, int64 [N]): features and labels, in the
        data set's order.

    Raises:
        ValueError: as `FeatureExtractor`.
    """
    return FeatureExtractor(backbone, blocks)(dataset)


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

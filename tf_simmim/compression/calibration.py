"""What the inside of a backbone looks like on unlabelled images.

Dimension key:
  B: batch   K: num_heads   M: tokens of a softmax   T: tokens of an image
  E: width of one head's queries and keys   V: that of its values
  Q: hidden width of the MLP   n: images in all
"""

import dataclasses

import numpy as np
import tensorflow as tf

from tf_simmim.backbones import checks
from tf_simmim.compression import moments

_WORDS = ("queries", "keys", "heads", "mlp_hidden")


@dataclasses.dataclass(frozen=True)
class BlockCalibration:
    """Moments inside of one block of a transformer.

    Attributes:
        queries: float64 [K, E, E]. Mean of q q^T, for each head.
        keys: float64 [K, E, E]. Covariance of the keys of an image (in a Swin,
            of a window) about their own mean, which no softmax sees.
        heads: `Moments` of what the heads read, [K * V].
        hidden: `Moments` of the MLP's hidden units, [Q].
        hidden_means: float32 [n, Q]. Of each image's tokens.
    """

    queries: np.ndarray
    keys: np.ndarray
    heads: moments.Moments
    hidden: moments.Moments
    hidden_means: np.ndarray


def calibrate(
    backbone, batches, tokens_per_image=None, on_batch=None
) -> tuple[BlockCalibration, ...]:
    """Measures the moments of every block, in one pass over images.

    Sums are float64; besides them, one batch of activations is in memory.

    Args:
        backbone: `backbones.ViT` or `backbones.Swin`.
        batches: iterable of float [B, H, W, C], normalised images.
        tokens_per_image: int > 0, or None. Use at most so many tokens of each
            image, evenly chosen; None for all. Covariances of width Q need
            several times Q tokens in all.
        on_batch: function (number of images in it), called behind each batch,
            or None.

    Returns:
        tuple of `BlockCalibration`, one for each block.

    Raises:
        ValueError: there is no image, images are of another size, or an
            activation is not finite; the message names where.
    """
    blocks = [
        [f"block_{i}/{word}" for word in _WORDS]
        for i in range(backbone.num_blocks)
    ]
    sums = [_BlockSums() for _ in blocks]

    shape = [None, *backbone.image_size, backbone.channels]

    @tf.function(input_signature=[tf.TensorSpec(shape, tf.float32)])
    def look(images):
        found = backbone.taps(images, sum(blocks, []))
        return [
            _prepared(
                *[found[place] for place in places],
                tf.shape(images)[0],
                tokens_per_image,
            )
            for places in blocks
        ]

    num_images = 0
    for images in batches:
        images = tf.cast(images, tf.float32)
        checks.require_images(images, backbone.image_size, backbone.channels)
        for i, found in enumerate(look(images)):
            found = [part.numpy() for part in found]
            for word, part in zip(_WORDS, found, strict=False):
                if not np.isfinite(np.sum(part, dtype=np.float64)):
                    raise ValueError(
                        "`batches` must give finite activations everywhere. "
                        f"Received: others at block_{i}/{word}, of images "
                        f"{num_images} to {num_images + len(images) - 1}."
                    )
            sums[i].add(*found)
        num_images += len(images)
        if on_batch is not None:
            on_batch(len(images))
    if not num_images:
        raise ValueError(
            "`batches` must have at least one image. Received: none."
        )
    return tuple(block.result() for block in sums)


class _BlockSums:
    def __init__(self):
        self._sums = [moments.MomentSums() for _ in _WORDS]
        self._means = []

    def add(self, queries, keys, heads, hidden, means):
        parts = (queries, keys, heads, hidden)
        for sums, part in zip(self._sums, parts, strict=True):
            sums.add(part)
        self._means.append(means)

    def result(self):
        queries, keys, heads, hidden = (s.result() for s in self._sums)
        return BlockCalibration(
            queries=queries.second,
            keys=keys.second,
            heads=heads,
            hidden=hidden,
            hidden_means=np.concatenate(self._means),
        )


def _prepared(queries, keys, heads, hidden, num_images, most):
    """Returns rows whose moments are to be summed, of one block."""
    keys -= tf.reduce_mean(keys, axis=2, keepdims=True)
    hidden = tf.reshape(
        hidden, tf.stack([num_images, -1, hidden.shape[-1]])
    )  # [B, T, Q]
    rows = [
        _by_image(tf.cast(part, tf.float32), num_images)
        for part in (queries, keys, heads)
    ]
    hidden = tf.cast(hidden, tf.float32)
    means = tf.reduce_mean(hidden, axis=1)  # [B, Q]
    queries, keys, heads, hidden = (
        _chosen(part, most) for part in (*rows, hidden)
    )
    num_heads, width = heads.shape[-2:]
    return (
        _for_each_head(queries),
        _for_each_head(keys),
        tf.reshape(heads, [-1, num_heads * width]),
        tf.reshape(hidden, [-1, hidden.shape[-1]]),
        means,
    )


def _by_image(heads, num_images):
    """Returns [B * windows, K, M, E] as [B, T, K, E]."""
    _, num_heads, _, width = heads.shape
    heads = tf.transpose(heads, [0, 2, 1, 3])
    return tf.reshape(heads, tf.stack([num_images, -1, num_heads, width]))


def _chosen(tokens, most):
    """Returns at most so many tokens of [B, T, ...], evenly chosen."""
    if most is None:
        return tokens
    count = tf.shape(tokens)[1]
    kept = tf.minimum(count, most)
    numbers = tf.cast(
        tf.cast(tf.range(kept), tf.float64)
        * tf.cast(count, tf.float64)
        / tf.cast(kept, tf.float64),
        tf.int32,
    )
    return tf.gather(tokens, numbers, axis=1)


def _for_each_head(tokens):
    """Returns [B, T, K, E] as [K, B * T, E]."""
    num_heads, width = tokens.shape[-2:]
    tokens = tf.transpose(tokens, [2, 0, 1, 3])
    return tf.reshape(tokens, [num_heads, -1, width])

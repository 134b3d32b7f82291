"""Cells of feature maps, as tokens.

Dimension key:
  B: batch   h w: feature map   n: chosen cells   D: features
"""

import tensorflow as tf


def as_tokens(features: tf.Tensor) -> tf.Tensor:
    """Flattens float [B, h, w, D] to [B, h * w, D], row-major."""
    _, height, width, depth = features.shape
    return tf.reshape(features, [-1, height * width, depth])


def as_map(tokens: tf.Tensor, features: tf.Tensor) -> tf.Tensor:
    """Rearranges float [B, h * w, F] into the map [B, h, w, F] of features."""
    _, height, width, _ = features.shape
    return tf.reshape(tokens, [-1, height, width, tokens.shape[-1]])


def take_cells(tokens: tf.Tensor, cells: tf.Tensor) -> tf.Tensor:
    """Returns the tokens of chosen cells.

    Args:
        tokens: float [B, h * w, D].
        cells: [B, n]. Row-major numbers of cells; whole, of any dtype, since
            Keras takes all inputs for floats when it loads a model.

    Returns:
        float [B, n, D], in the order of `cells`.
    """
    return tf.gather(tokens, tf.cast(cells, tf.int32), batch_dims=1)


def require_cells(features, cells) -> None:
    """Refuses cells of what is no feature map.

    Raises:
        ValueError: `features` is not [batch, height, width, features], or
            `cells` is not [batch, number].
    """
    if len(features.shape) != 4 or len(cells.shape) != 2:
        raise ValueError(
            "`cells` must be [batch, number], of features [batch, height, "
            "width, features]. Received shapes: "
            f"{tuple(cells.shape)}, {tuple(features.shape)}."
        )


def require_map(shape) -> None:
    """Refuses tokens where a head needs to know the grid.

    Raises:
        ValueError: `shape` is not [batch, height, width, features].
    """
    if len(shape) != 4 or None in tuple(shape[1:]):
        raise ValueError(
            "`features` must be [batch, height, width, features] with a known "
            f"map. Received shape: {tuple(shape)}."
        )

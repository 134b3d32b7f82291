"""Encoding visible tokens alone, in shapes that do not depend on the mask.

Dimension key:
  B: batch   h w: grid   N: number of patches = h*w, row-major
  M: number of tokens = N + num_first   D: embed_dim
  m: visible tokens of a sample, the class token included
"""

import tensorflow as tf


def hidden_tokens(patch_mask: tf.Tensor, num_first: int) -> tf.Tensor:
    """Returns bool [B, M]: which tokens a mask hides; never the first ones.

    Args:
        patch_mask: int or bool [B, h, w]. 1 = hidden, 0 = visible.
        num_first: int. Class and register tokens before the patches.
    """
    num_patches = patch_mask.shape[1] * patch_mask.shape[2]
    hidden = tf.reshape(tf.cast(patch_mask, tf.bool), [-1, num_patches])
    return tf.pad(hidden, [(0, 0), (int(num_first), 0)])  # [B, M]


def encode(
    encoder, tokens: tf.Tensor, hidden: tf.Tensor, num_visible: int | None
) -> tf.Tensor:
    """Returns what an encoder makes of the visible tokens of each sample.

    With `num_visible`, the visible tokens are taken out, encoded and put back.
    Without, all tokens are encoded, and none attends to a hidden one: the same
    at visible tokens, of any number, for more work.

    Args:
        encoder: function (float [B, M, D] or [B, m, D], `hidden` or None) ->
            float of the same shape. No token may depend on another one but
            by attention, in which those that `hidden` marks have no part.
        tokens: float [B, M, D].
        hidden: bool [B, M]. True = hidden.
        num_visible: int in [1, M], m; or None. Every sample must have exactly
            as many.

    Returns:
        float [B, M, D]. At hidden tokens it means nothing. NaN in samples with
        another number of visible tokens than promised, for the sake of XLA,
        which leaves out checks.

    Raises:
        ValueError: there cannot be `num_visible` visible tokens.
        tf.errors.InvalidArgumentError: a sample has another number of them;
            not under XLA.
    """
    if num_visible is None:
        return encoder(tokens, hidden)
    if not 1 <= num_visible <= tokens.shape[1]:
        raise ValueError(
            f"`num_visible` must lie in [1, {tokens.shape[1]}], counting the "
            f"class token. Received: {num_visible}."
        )
    visible = tf.cast(~hidden, tf.int32)
    counts = tf.reduce_sum(visible, axis=1, keepdims=True)  # [B, 1]
    tf.debugging.assert_equal(
        counts,
        num_visible,
        "`patch_mask` must leave the same number of patches visible in every "
        "image, the one that `mask_ratio` leaves, so that `visible_only` can "
        "leave out the others. Tokens visible in each image (the class token "
        "is one), and those expected:",
    )
    # Of equal numbers, the first in order comes first.
    _, places = tf.math.top_k(visible, num_visible)  # [B, m]
    kept = encoder(tf.gather(tokens, places, batch_dims=1), None)
    order = tf.cumsum(visible, axis=1, exclusive=True)  # [B, M]
    order = tf.minimum(order, num_visible - 1)
    y = tf.gather(kept, order, batch_dims=1)  # [B, M, D]
    is_right = (counts == num_visible)[..., tf.newaxis]  # [B, 1, 1]
    return tf.where(is_right, y, tf.constant(float("nan"), y.dtype))

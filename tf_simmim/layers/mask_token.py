"""Mask token: one learned vector that stands in for every hidden patch.

Dimension key:
  B: batch   N: number of patches, row-major over the grid   D: embed_dim
"""

import tensorflow as tf

from tf_simmim.layers import truncated_normal


@tf.keras.saving.register_keras_serializable(package="tf_simmim")
class MaskToken(tf.keras.layers.Layer):
    """Replaces the embedding of each hidden patch by a shared learned token.

    For patch embeddings `x`, patch mask `m` and token `t`:

        y[b, n] = t          where m[b, n] == 1  (hidden)
        y[b, n] = x[b, n]    where m[b, n] == 0  (visible)

    The sequence keeps its length, so windowed backbones can follow; MAE, by
    contrast, drops the hidden patches. Positions are added after this layer,
    so a token still knows where it sits.

    Args:
        stddev: float > 0. Spread of the initial token, cut at one standard
            deviation. 0.02 as in the reference.
        **kwargs: passed to `tf.keras.layers.Layer`.

    Call arguments:
        tokens: float [B, N, D]. Patch embeddings.
        patch_mask: int or bool [B, N]. 1 = hidden, 0 = visible.

    Returns:
        float [B, N, D], in the layer's compute dtype.

    Raises:
        ValueError: `stddev` is not positive, `tokens` is not [B, N, D], or
            `patch_mask` was made for another number of patches.

    Source: Xie et al., SimMIM, 2021, https://arxiv.org/abs/2111.09886,
        section 3.2, "Masking strategy".
    """

    def __init__(self, stddev=0.02, **kwargs):
        super().__init__(**kwargs)
        if stddev <= 0:
            raise ValueError(f"`stddev` must be positive. Received: {stddev}.")
        self.stddev = stddev

    def build(self, input_shape):
        if len(input_shape) != 3 or input_shape[-1] is None:
            raise ValueError(
                "`tokens` must be [batch, num_patches, embed_dim] with a known "
                f"embed_dim. Received shape: {tuple(input_shape)}."
            )
        self.mask_token = self.add_weight(
            name="mask_token",
            shape=(1, 1, input_shape[-1]),
            initializer=truncated_normal.TruncatedNormal(self.stddev),
        )
        super().build(input_shape)

    def call(self, tokens, patch_mask):
        n, n_mask = tokens.shape[1], patch_mask.shape[1]
        if None not in (n, n_mask) and n != n_mask:
            raise ValueError(
                "`patch_mask` must have one entry per patch. Received "
                f"tokens: {tokens.shape}, patch_mask: {patch_mask.shape}."
            )
        hidden = tf.cast(patch_mask, tf.bool)[..., tf.newaxis]  # [B, N, 1]
        token = tf.cast(self.mask_token, tokens.dtype)  # [1, 1, D]
        return tf.where(hidden, token, tokens)  # [B, N, D]

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "stddev": self.stddev}

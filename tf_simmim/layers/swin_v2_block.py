"""The block of Swin's second version: norms after the branches.

Dimension key:
  B: batch   h w: feature map   D: width   K: num_heads
  n: number of queries
"""

import tensorflow as tf

from tf_simmim.layers import continuous_position_bias
from tf_simmim.layers import scaled_cosine_attention
from tf_simmim.layers import swin_block
from tf_simmim.layers import tapping


@tf.keras.saving.register_keras_serializable(package="tf_simmim")
class SwinV2Block(swin_block.SwinBlock):
    """Window attention, then an MLP, each normalised before it is added.

        x = x + drop_path(norm_1(window_attention(x)))
        x = x + drop_path(norm_2(mlp(x)))

    Attention is a `ScaledCosineAttention` with a `ContinuousPositionBias`. So
    activations do not grow from block to block, and weights fit any window.
    Both norms begin with a gain of zero: every block is the identity first.

    Windows, their shift and padding are as in `SwinBlock`.

    Args:
        num_heads: int > 0. Divides D where a width of heads follows from it.
        window_size: int or (height, width), cells. 12 in SimMIM's recipes.
        shifted: bool. Whether windows lie half a window off.
        mlp_ratio: float > 0. Hidden width of the MLP over D.
        qkv_bias: see `SelfAttention`.
        drop_path: float in [0, 1). Probability of leaving a branch out.
        epsilon: float > 0. Of both norms; 1e-5 in the official code.
        key_dim: int > 0 or None. See `SelfAttention`.
        value_dim: int > 0 or None. See `SelfAttention`.
        mlp_dim: int > 0, hidden width of the MLP, or None for `mlp_ratio` * D.
        **kwargs: passed to `tf.keras.layers.Layer`.

    Call arguments:
        feature_map: float [B, h, w, D], with known h, w and D.
        seed: int64 [2] or None. Of drop path, see `DropPath`.
        training: bool.
        queries: int32 [B, n] or None. See `SwinBlock`.
        taps: tuple of words. See `SwinBlock`.

    Returns:
        float [B, h, w, D], or [B, 1, n, D] of the queries, in the layer's
        compute dtype; or with taps, see `SwinBlock`.

    Raises:
        ValueError: the input is not [B, h, w, D] with known sides; or from
            the parts, for their arguments.

    Source: Liu et al., Swin Transformer V2, 2021,
        https://arxiv.org/abs/2111.09883, section 3.2 and figure 1; gains of
        zero as in the official code.
    """

    def __init__(
        self,
        num_heads,
        window_size=12,
        shifted=False,
        mlp_ratio=4.0,
        qkv_bias="query_value",
        drop_path=0.0,
        epsilon=1e-5,
        key_dim=None,
        value_dim=None,
        mlp_dim=None,
        **kwargs,
    ):
        super().__init__(
            num_heads=num_heads,
            window_size=window_size,
            shifted=shifted,
            mlp_ratio=mlp_ratio,
            qkv_bias=qkv_bias,
            drop_path=drop_path,
            epsilon=epsilon,
            key_dim=key_dim,
            value_dim=value_dim,
            mlp_dim=mlp_dim,
            **kwargs,
        )
        for norm in (self.attention_norm, self.mlp_norm):
            norm.gamma_initializer = tf.keras.initializers.Zeros()

    def _create_attention(self):
        return scaled_cosine_attention.ScaledCosineAttention(
            self.num_heads,
            self.qkv_bias,
            key_dim=self.key_dim,
            value_dim=self.value_dim,
            dtype=self.dtype_policy,
            name="attention",
        )

    def _create_position_bias(self):
        return continuous_position_bias.ContinuousPositionBias(
            self.window,
            self.num_heads,
            dtype=self.dtype_policy,
            name="continuous_position_bias",
        )

    def _attention_branch(self, feature_map, queries, taps):
        x, tapped = self._attend(feature_map, queries, taps)
        return self.attention_norm(x), tapped

    def _mlp_branch(self, feature_map, taps):
        x, tapped = tapping.run(self.mlp, feature_map, taps=taps)
        return self.mlp_norm(x), tapped

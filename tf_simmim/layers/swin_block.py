"""Swin's block: attention inside windows, which every other block shifts.

Dimension key:
  B: batch   h w: feature map   D: width   K: num_heads
  W: windows of an image   M: cells of a window   n: number of queries
"""

import numpy as np
import tensorflow as tf

from tf_simmim import randomness
from tf_simmim import sizes
from tf_simmim.layers import drop_path as drop_path_lib
from tf_simmim.layers import mlp
from tf_simmim.layers import relative_position_bias
from tf_simmim.layers import self_attention
from tf_simmim.layers import tapping
from tf_simmim.layers import unconnected
from tf_simmim.layers import windows

# Added to the logits (in float32) of cells that are no neighbours: their weight
# becomes zero, and the sums stay finite.
_NEVER = -1e4


@tf.keras.saving.register_keras_serializable(package="tf_simmim")
class SwinBlock(unconnected.Unconnected, tf.keras.layers.Layer):
    """Window attention, then an MLP, each on a residual branch.

        x = x + drop_path(window_attention(norm_1(x)))
        x = x + drop_path(mlp(norm_2(x)))

    A window that is larger than the map is cut to it, and not shifted along
    that side. Where windows do not divide the map, it is padded, and padding
    is never attended to.

    Args:
        num_heads: int > 0. Divides D where a width of heads follows from it.
        window_size: int or (height, width), cells. 6 or 7 in the reference.
        shifted: bool. Whether windows lie half a window off.
        mlp_ratio: float > 0. Hidden width of the MLP over D.
        qkv_bias: see `SelfAttention`.
        drop_path: float in [0, 1). Probability of leaving a branch out.
        epsilon: float > 0. Of both norms; 1e-5 in the reference.
        key_dim: int > 0 or None. See `SelfAttention`.
        value_dim: int > 0 or None. See `SelfAttention`.
        mlp_dim: int > 0, hidden width of the MLP, or None for `mlp_ratio` * D.
        **kwargs: passed to `tf.keras.layers.Layer`.

    Call arguments:
        feature_map: float [B, h, w, D], with known h, w and D.
        seed: int64 [2] or None. Of drop path, see `DropPath`.
        training: bool.
        queries: int32 [B, n] or None. Numbers of the cells (row-major) to
            compute, each of which attends to all; None for all. Only where
            `covers_map`.
        taps: tuple of words in `transformer_block.TAPS`. What to return
            besides.

    Returns:
        float [B, h, w, D], or [B, 1, n, D] of the queries, in the layer's
        compute dtype. With `taps`, (that, dict by their names), see
        `SelfAttention`, of the windows [B * W, K, M, ...] of one image after
        another, and `MLP`, of the map.

    Attributes:
        covers_map: bool, once built: one window holds the whole map.

    Raises:
        ValueError: the input is not [B, h, w, D] with known sides; or from
            the parts, for their arguments; or `queries` where the map has
            several windows.

    Source: Liu et al., Swin Transformer, 2021,
        https://arxiv.org/abs/2103.14030, sections 3.1 and 3.2. Differs from
        the reference code where a map is not square: that cuts windows to the
        shorter side, and then shifts along neither.
    """

    def __init__(
        self,
        num_heads,
        window_size=7,
        shifted=False,
        mlp_ratio=4.0,
        qkv_bias="query_key_value",
        drop_path=0.0,
        epsilon=1e-5,
        key_dim=None,
        value_dim=None,
        mlp_dim=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.window_size = sizes.as_pair(window_size, "window_size")
        self.shifted = shifted
        self.mlp_ratio = mlp_ratio
        self.qkv_bias = qkv_bias
        self.drop_path = drop_path
        self.epsilon = epsilon
        self.key_dim = key_dim
        self.value_dim = value_dim
        self.mlp_dim = mlp_dim

        policy = self.dtype_policy
        self.attention_norm = tf.keras.layers.LayerNormalization(
            epsilon=epsilon, dtype=policy, name="attention_norm"
        )
        self.attention = self._create_attention()
        self.mlp_norm = tf.keras.layers.LayerNormalization(
            epsilon=epsilon, dtype=policy, name="mlp_norm"
        )
        self.mlp = mlp.MLP(
            mlp_ratio,
            kernel_bound=5.0,
            hidden_dim=mlp_dim,
            dtype=policy,
            name="mlp",
        )
        self.branch_drop = drop_path_lib.DropPath(drop_path, dtype=policy)

    def build(self, input_shape):
        if len(input_shape) != 4 or None in input_shape[1:]:
            raise ValueError(
                "`feature_map` must be [batch, height, width, channels] with "
                f"known sides. Received shape: {tuple(input_shape)}."
            )
        self.grid_size = tuple(input_shape[1:3])
        self.window = tuple(map(min, self.grid_size, self.window_size))
        self.shift = tuple(
            size // 2 if self.shifted and side > size else 0
            for side, size in zip(self.grid_size, self.window_size, strict=True)
        )
        self.covers_map = self.window == self.grid_size
        self.position_bias = self._create_position_bias()
        are_neighbours = windows.neighbours(
            self.grid_size, self.window, self.shift
        )
        self._penalty = None
        if not are_neighbours.all():
            penalty = np.where(are_neighbours, 0.0, _NEVER)
            self._penalty = penalty[:, np.newaxis].astype(np.float32)
        super().build(input_shape)

    def call(
        self, feature_map, seed=None, training=None, queries=None, taps=()
    ):
        seeds = [None, None]
        if seed is not None:
            seeds = [randomness.fold_in(seed, branch) for branch in range(2)]
        if queries is not None and not self.covers_map:
            raise ValueError(
                "`queries` need one window over the whole map. Received: "
                f"window {self.window}, map {self.grid_size}."
            )
        branch, tapped = self._attention_branch(
            feature_map, queries, tapping.chosen(taps, self_attention.TAPS)
        )
        x = feature_map
        if queries is not None:
            x = tf.reshape(x, [-1, x.shape[1] * x.shape[2], x.shape[-1]])
            x = tf.gather(x, queries, batch_dims=1)[:, tf.newaxis]
        x += self.branch_drop(branch, seed=seeds[0], training=training)
        branch, of_mlp = self._mlp_branch(x, tapping.chosen(taps, mlp.TAPS))
        x += self.branch_drop(branch, seed=seeds[1], training=training)
        return (x, {**tapped, **of_mlp}) if taps else x

    def _create_attention(self):
        return self_attention.SelfAttention(
            self.num_heads,
            self.qkv_bias,
            kernel_bound=5.0,
            key_dim=self.key_dim,
            value_dim=self.value_dim,
            dtype=self.dtype_policy,
            name="attention",
        )

    def _create_position_bias(self):
        return relative_position_bias.RelativePositionBias(
            self.window,
            self.num_heads,
            class_token=False,
            stddev=0.02,
            dtype=self.dtype_policy,
            name="relative_position_bias",
        )

    def _attention_branch(self, feature_map, queries, taps):
        return self._attend(self.attention_norm(feature_map), queries, taps)

    def _mlp_branch(self, feature_map, taps):
        return tapping.run(self.mlp, self.mlp_norm(feature_map), taps=taps)

    def _attend(self, feature_map, queries, taps):
        x = windows.to_windows(feature_map, self.window, self.shift)
        bias = tf.cast(self.position_bias(x), tf.float32)  # [K, M, M]
        if self._penalty is not None:
            bias += self._penalty  # [W, K, M, M]
        x, tapped = tapping.run(
            self.attention, x, position_bias=bias, queries=queries, taps=taps
        )  # [B * W, M, D]
        if queries is not None:
            return x[:, tf.newaxis], tapped  # [B, 1, n, D]
        x = windows.from_windows(x, self.grid_size, self.window, self.shift)
        return x, tapped

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "window_size": self.window_size,
            "shifted": self.shifted,
            "mlp_ratio": self.mlp_ratio,
            "qkv_bias": self.qkv_bias,
            "drop_path": self.drop_path,
            "epsilon": self.epsilon,
            "key_dim": self.key_dim,
            "value_dim": self.value_dim,
            "mlp_dim": self.mlp_dim,
        }

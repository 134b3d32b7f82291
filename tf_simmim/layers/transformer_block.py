"""Pre-norm transformer block with LayerScale and drop path.

Dimension key:
  B: batch   M: number of tokens   D: embed_dim   K: num_heads
  n: number of queries, M or fewer
"""

import tensorflow as tf

from tf_simmim import randomness
from tf_simmim.layers import drop_path as drop_path_lib
from tf_simmim.layers import layer_scale
from tf_simmim.layers import mlp
from tf_simmim.layers import self_attention
from tf_simmim.layers import tapping
from tf_simmim.layers import unconnected

# Kinds of attention by name. Another one is a row here: a class that is made
# and called as `SelfAttention`, and tells its `cost`.
ATTENTIONS = {"softmax": self_attention.SelfAttention}
TAPS = (*self_attention.TAPS, *mlp.TAPS)


@tf.keras.saving.register_keras_serializable(package="tf_simmim")
class TransformerBlock(unconnected.Unconnected, tf.keras.layers.Layer):
    """Attention, then an MLP, each on a residual branch.

        x = x + drop_path(gamma_1 * attention(norm_1(x), bias))
        x = x + drop_path(gamma_2 * mlp(norm_2(x)))

    Args:
        num_heads: int > 0. Divides D where a width of heads follows from it.
        mlp_ratio: float > 0. Hidden width of the MLP over D.
        qkv_bias: see `SelfAttention`.
        layer_scale_init: float, the first gamma, or None for no LayerScale.
        drop_path: float in [0, 1). Probability of leaving a branch out.
        epsilon: float > 0. Of both norms; 1e-6 for ViT.
        output_stddev: float > 0. Spread of the last initial kernel of both
            branches. The reference divides 0.02 by sqrt(2 * block number).
        key_dim: int > 0 or None. See `SelfAttention`.
        value_dim: int > 0 or None. See `SelfAttention`.
        mlp_dim: int > 0, hidden width of the MLP, or None for `mlp_ratio` * D.
        attention: str, a key of `ATTENTIONS`.
        **kwargs: passed to `tf.keras.layers.Layer`.

    Call arguments:
        tokens: float [B, M, D].
        position_bias: float [K, M, M] or None. Added to attention logits.
        seed: int64 [2] or None. Of drop path, see `DropPath`.
        training: bool.
        queries: int32 [B, n] or None. Numbers of the tokens to compute, each
            of which attends to all; None for all.
        hidden_tokens: bool [B, M] or None. True = attended to by none.
        token_sizes: float [B, M] or None. See `SelfAttention`.
        taps: tuple of words in `TAPS`. What to return besides.

    Returns:
        float [B, n, D], in the layer's compute dtype. With `taps`, (that,
        dict by their names), see `SelfAttention` and `MLP`.

    Raises:
        ValueError: `attention` is unknown; or from the parts, for their
            arguments.

    Source: the reference code of Xie et al., SimMIM, 2021,
        https://arxiv.org/abs/2111.09886, models/vision_transformer.py.
    """

    def __init__(
        self,
        num_heads,
        mlp_ratio=4.0,
        qkv_bias="query_value",
        layer_scale_init=0.1,
        drop_path=0.0,
        epsilon=1e-6,
        output_stddev=0.02,
        key_dim=None,
        value_dim=None,
        mlp_dim=None,
        attention="softmax",
        **kwargs,
    ):
        super().__init__(**kwargs)
        if attention not in ATTENTIONS:
            raise ValueError(
                f"`attention` must be one of {tuple(ATTENTIONS)}. "
                f"Received: {attention!r}."
            )
        self.num_heads = num_heads
        self.mlp_ratio = mlp_ratio
        self.qkv_bias = qkv_bias
        self.layer_scale_init = layer_scale_init
        self.drop_path = drop_path
        self.epsilon = epsilon
        self.output_stddev = output_stddev
        self.key_dim = key_dim
        self.value_dim = value_dim
        self.mlp_dim = mlp_dim
        self.attention_name = attention

        policy = self.dtype_policy
        self.attention_norm = tf.keras.layers.LayerNormalization(
            epsilon=epsilon, dtype=policy, name="attention_norm"
        )
        self.attention = ATTENTIONS[attention](
            num_heads,
            qkv_bias=qkv_bias,
            output_stddev=output_stddev,
            key_dim=key_dim,
            value_dim=value_dim,
            dtype=policy,
            name="attention",
        )
        self.mlp_norm = tf.keras.layers.LayerNormalization(
            epsilon=epsilon, dtype=policy, name="mlp_norm"
        )
        self.mlp = mlp.MLP(
            mlp_ratio,
            output_stddev,
            hidden_dim=mlp_dim,
            dtype=policy,
            name="mlp",
        )
        self.branch_drop = drop_path_lib.DropPath(drop_path, dtype=policy)
        if layer_scale_init is not None:
            self.attention_scale = layer_scale.LayerScale(
                layer_scale_init, dtype=policy, name="attention_scale"
            )
            self.mlp_scale = layer_scale.LayerScale(
                layer_scale_init, dtype=policy, name="mlp_scale"
            )

    def call(
        self,
        tokens,
        position_bias=None,
        seed=None,
        training=None,
        queries=None,
        hidden_tokens=None,
        token_sizes=None,
        taps=(),
    ):
        seeds = [None, None]
        if seed is not None:
            seeds = [randomness.fold_in(seed, branch) for branch in range(2)]

        x, tapped = tapping.run(
            self.attention,
            self.attention_norm(tokens),
            position_bias=position_bias,
            queries=queries,
            hidden_tokens=hidden_tokens,
            token_sizes=token_sizes,
            taps=tapping.chosen(taps, self_attention.TAPS),
        )
        if self.layer_scale_init is not None:
            x = self.attention_scale(x)
        if queries is not None:
            tokens = tf.gather(tokens, queries, batch_dims=1)  # [B, n, D]
        tokens += self.branch_drop(x, seed=seeds[0], training=training)

        x, of_mlp = tapping.run(
            self.mlp,
            self.mlp_norm(tokens),
            taps=tapping.chosen(taps, mlp.TAPS),
        )
        if self.layer_scale_init is not None:
            x = self.mlp_scale(x)
        tokens += self.branch_drop(x, seed=seeds[1], training=training)
        return (tokens, {**tapped, **of_mlp}) if taps else tokens  # [B, n, D]

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "mlp_ratio": self.mlp_ratio,
            "qkv_bias": self.qkv_bias,
            "layer_scale_init": self.layer_scale_init,
            "drop_path": self.drop_path,
            "epsilon": self.epsilon,
            "output_stddev": self.output_stddev,
            "key_dim": self.key_dim,
            "value_dim": self.value_dim,
            "mlp_dim": self.mlp_dim,
            "attention": self.attention_name,
        }

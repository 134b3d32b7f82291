"""A block of a convolutional network, with drop path on its branch."""

import tensorflow as tf

from tf_simmim import layers
from tf_simmim.backbones import layer_graph
from tf_simmim.layers import unconnected


class ResidualBlock(unconnected.Unconnected, tf.keras.layers.Layer):
    """Adds a branch to its shortcut, both computed by copies of Keras layers.

        y = activation(shortcut(x) + drop_path(branch(x)))

    Args:
        block: `extractors.Block`.
        drop_path: float in [0, 1). Probability of leaving the branch out.
        **kwargs: passed to `tf.keras.layers.Layer`.

    Call arguments:
        inputs: float [batch, height, width, features].
        seed: int64 [2] or None. Of drop path, see `layers.DropPath`.
        training: bool.

    Returns:
        float [batch, height', width', features'], in the compute dtype.
    """

    def __init__(self, block, drop_path=0.0, **kwargs):
        super().__init__(**kwargs)
        policy = self.dtype_policy
        self.drop_path = drop_path
        self.body = layer_graph.LayerGraph(
            block.body, dtype=policy, name="body"
        )
        self.branch_drop = layers.DropPath(drop_path, dtype=policy)
        self.after = layer_graph.LayerGraph(
            block.after, dtype=policy, name="after"
        )

    def call(self, inputs, seed=None, training=None):
        shortcut, branch = self.body(inputs, training=training)
        branch = self.branch_drop(branch, seed=seed, training=training)
        (outputs,) = self.after(shortcut + branch, training=training)
        return outputs

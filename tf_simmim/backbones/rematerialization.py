"""Memory for time: activations that are computed twice instead of kept."""

import tensorflow as tf


def run(block, *inputs, seed, **options) -> tf.Tensor:
    """Runs a block whose inner activations are not kept for the gradient.

    The gradient runs the block once more, from its inputs, and so needs the
    memory of one block at a time. Outputs and gradients are the same.

    Args:
        block: Keras layer, built.
        *inputs: float tensors, through which gradients flow.
        seed: int64 [2] or None. None draws one here, so that both runs leave
            out the same branches.
        **options: other arguments of the block.

    Returns:
        What the block returns.

    Source: Chen et al., Training Deep Nets with Sublinear Memory Cost, 2016,
        https://arxiv.org/abs/1604.06174.
    """
    if seed is None:
        seed = tf.random.uniform([2], maxval=tf.int64.max, dtype=tf.int64)

    @tf.recompute_grad
    def call(*inputs):
        return block(*inputs, seed=seed, **options)

    return call(*inputs)

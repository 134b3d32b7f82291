"""Stateless random numbers: every draw is a function of a seed and a position.

A seed is an int64 tensor of shape [2]. `seed_for` derives one from the run's
seed, a stream (what the numbers are for) and any number of positions (the
index of a sample, a step, the number of a block), so that no draw depends on
how many draws came before it: that is what makes a resumed run, and a run on
another number of replicas, see the same numbers.

Philox is named everywhere: TensorFlow's default algorithm gives other numbers
under XLA than in eager and graph mode (see also `uniform`).

Dimension key:
  B: replica batch   G: global batch = B * number of replicas
"""

import tensorflow as tf

# What a random number is used for. Append; never renumber: checkpointed runs
# continue with these numbers.
ORDER = 0
AUGMENTATION = 1
MASK = 2
DROP_PATH = 3
CROP = 4


def fold_in(seed: tf.Tensor, *positions) -> tf.Tensor:
    """Derives a new seed from a seed and one or more integers.

    Args:
        seed: int64 [2].
        *positions: int or int64 scalar tensors, folded in one after another.

    Returns:
        int64 [2].
    """
    for position in positions:
        position = tf.cast(position, tf.int64)
        seed = tf.random.fold_in(seed, position, alg="philox")
    return seed


def seed_for(run_seed: int, stream: int, *positions) -> tf.Tensor:
    """Returns the int64 [2] seed of a stream of one run, at a position."""
    seed = tf.stack(
        [tf.cast(run_seed, tf.int64), tf.constant(stream, tf.int64)]
    )
    return fold_in(seed, *positions)


def uniform(shape, seed: tf.Tensor, minval=0.0, maxval=1.0) -> tf.Tensor:
    """Returns float32 [*shape], uniform in [minval, maxval), from `seed`.

    In [0, 1) the same bits in eager mode, graphs and XLA; in another range
    XLA may round once less.
    """
    # Philox gives the same integers everywhere, but TensorFlow's kernels and
    # XLA make different floats of them; so the floats are made here, from the
    # upper 24 bits, which a float32 holds exactly.
    bits = tf.random.stateless_uniform(
        shape, seed, minval=None, maxval=None, dtype=tf.uint32, alg="philox"
    )
    bits = tf.bitwise.right_shift(bits, tf.constant(8, tf.uint32))
    fraction = tf.cast(bits, tf.float32) * 2.0**-24
    return minval + (maxval - minval) * fraction


def uniform_per_sample(batch_size, row_shape, seed: tf.Tensor) -> tf.Tensor:
    """Draws uniform numbers for the samples that this replica holds.

    The numbers of the whole global batch are drawn on every replica, and each
    replica keeps the rows of its own samples (replica r holds the samples
    r * B .. (r + 1) * B - 1). One replica and many therefore use the same
    number for the same sample. The waste is a few numbers a sample.

    Args:
        batch_size: int or int32 scalar. Samples on this replica, the same on
            every replica.
        row_shape: tuple of int. Shape of the numbers of one sample.
        seed: int64 [2].

    Returns:
        float32 [batch_size, *row_shape], in [0, 1).
    """
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return uniform([batch_size, *row_shape], seed)
    num_replicas = context.num_replicas_in_sync
    numbers = uniform([batch_size * num_replicas, *row_shape], seed)
    start = tf.cast(context.replica_id_in_sync_group, tf.int32) * batch_size
    begin = tf.stack([start] + [0] * len(row_shape))
    return tf.slice(numbers, begin, [batch_size, *row_shape])

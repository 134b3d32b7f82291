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

import contextlib
import contextvars

import tensorflow as tf

# What a random number is used for. Append; never renumber: checkpointed runs
# continue with these numbers.
ORDER = 0
AUGMENTATION = 1
MASK = 2
DROP_PATH = 3
CROP = 4
FEW_LABELS = 5
MIX = 6

# Which part of the replica's batch is being computed: (part, number of parts).
_PART = contextvars.ContextVar("part of the replica's batch", default=(0, 1))


# AutoGraph is left out where nothing needs it: a tenth of the time until the
# first step, of a small network.
@tf.autograph.experimental.do_not_convert
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


@tf.autograph.experimental.do_not_convert
def seed_for(run_seed: int, stream: int, *positions) -> tf.Tensor:
    """Returns the int64 [2] seed of a stream of one run, at a position."""
    seed = tf.stack(
        [tf.cast(run_seed, tf.int64), tf.constant(stream, tf.int64)]
    )
    return fold_in(seed, *positions)


@tf.autograph.experimental.do_not_convert
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


@contextlib.contextmanager
def part_of_batch(part, num_parts: int):
    """Tells `uniform_per_sample` that a replica's batch comes in parts.

    Within it, samples are those of one part: of B samples on the replica, part
    p holds p * B / num_parts .. (p + 1) * B / num_parts - 1. For the thread
    that enters it, like the replica context of `tf.distribute`.

    Args:
        part: int or int32 scalar tensor in [0, `num_parts`).
        num_parts: int >= 1. Parts of equal size.
    """
    token = _PART.set((part, num_parts))
    try:
        yield
    finally:
        _PART.reset(token)


@tf.autograph.experimental.do_not_convert
def uniform_per_sample(batch_size, row_shape, seed: tf.Tensor) -> tf.Tensor:
    """Draws uniform numbers for the samples that this replica computes.

    The numbers of the whole global batch are drawn on every replica, and each
    replica keeps the rows of its own samples (replica r holds the samples
    r * B .. (r + 1) * B - 1; see `part_of_batch` for a part of these). One
    replica and many, whole batches and parts, therefore use the same number
    for the same sample. The waste is a few numbers a sample.

    Args:
        batch_size: int or int32 scalar. Samples at hand, the same on every
            replica and in every part.
        row_shape: tuple of int. Shape of the numbers of one sample.
        seed: int64 [2].

    Returns:
        float32 [batch_size, *row_shape], in [0, 1).
    """
    share, num_shares = _share_of_batch()
    if num_shares == 1:
        return uniform([batch_size, *row_shape], seed)
    numbers = uniform([num_shares, batch_size, *row_shape], seed)
    # Not a slice, for whose begin XLA would compile anew.
    return tf.gather(numbers, share)


def indices_of_step(step, batch_size) -> tf.Tensor:
    """Returns which elements of a stream a replica computes in a step.

    Step t of global batches of G images has the elements t * G .. t * G +
    G - 1, of which each replica computes those of its place; as of
    `uniform_per_sample`.

    Args:
        step: int or int64 scalar tensor, t.
        batch_size: int or int32 scalar. Samples at hand.

    Returns:
        int64 [batch_size].
    """
    share, num_shares = _share_of_batch()
    batch_size = tf.cast(batch_size, tf.int64)
    first = tf.cast(step, tf.int64) * num_shares + tf.cast(share, tf.int64)
    return first * batch_size + tf.range(batch_size)


def _share_of_batch():
    """Returns (which part of the global batch is computed, parts in all)."""
    share, num_shares = _PART.get()
    context = tf.distribute.get_replica_context()
    if context is not None and context.num_replicas_in_sync > 1:
        replica = tf.cast(context.replica_id_in_sync_group, tf.int32)
        share += replica * num_shares
        num_shares *= context.num_replicas_in_sync
    return share, num_shares

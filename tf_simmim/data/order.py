"""Shuffling without state: an order is a function of a seed alone."""

import tensorflow as tf

from tf_simmim import randomness

# Records that are in memory at once, encoded, while a stream is shuffled.
_WINDOW = 1024


def shuffled(position, num_positions: int, order_seed) -> tf.Tensor:
    """Returns the place of `position` in a permutation of 0..num_positions-1.

    Nothing is stored, so that an order over a hundred million images costs as
    little as one over ten, and can be entered anywhere.

    Args:
        position: int64 [] or [n].
        num_positions: int or int64 scalar tensor.
        order_seed: int64 [2]. Each seed has its own permutation.

    Returns:
        int64, the shape of `position`.
    """
    last = tf.cast(num_positions, tf.int64) - 1
    return tf.random.experimental.index_shuffle(position, order_seed, last)


def shuffled_in_windows(dataset: tf.data.Dataset, order_seed):
    """Shuffles a stream within consecutive windows of 1,024 elements.

    `tf.data`'s own shuffle buffer also depends on TensorFlow's global seed, so
    it is not a function of `order_seed` alone.

    Args:
        dataset: data set of flat dicts of scalars.
        order_seed: int64 [2].

    Returns:
        Data set of the same elements.
    """

    def shuffle(window_number, window):
        size = tf.size(next(iter(window.values())), out_type=tf.int64)
        seed = randomness.fold_in(order_seed, window_number)
        places = shuffled(tf.range(size), size, seed)
        return {key: tf.gather(value, places) for key, value in window.items()}

    return dataset.batch(_WINDOW).enumerate().map(shuffle).unbatch()

"""A replica's share of a batch, which may be empty.

Of the last batch of an evaluation, a replica may have no image. TensorFlow's
convolution (by oneDNN) of no images returns the features of its input, not its
own, and what follows fails. It is seen to here, where a share arrives, and not
where batches are made: those of a user's own data set are shared out by Keras.

Dimension key:
  B: images of a replica
"""

import tensorflow as tf


def run(function, *share):
    """Calls a function of a share, with an image of zeros if it has none.

    Args:
        function: callable (*tensors [max(B, 1), ...]) -> nested tensors, float
            [] or [max(B, 1), ...].
        *share: tensors [B, ...], B >= 0.

    Returns:
        What the function returns, [] or [B, ...]. A mean of an empty share
        means nothing, and has to count by its number of images: 0.
    """
    if share[0].shape[0]:
        return function(*share)
    num_images = tf.shape(share[0])[0]
    filled = [_with_a_row(tensor, num_images) for tensor in share]
    return tf.nest.map_structure(
        lambda x: x[:num_images] if x.shape.rank else x, function(*filled)
    )


def _with_a_row(tensor, num_rows):
    # Not tf.pad: where a convolution follows, oneDNN makes one of both, which
    # knows of no padding of the batch.
    shape = [1 - tf.minimum(num_rows, 1), *tf.unstack(tf.shape(tensor)[1:])]
    row = tf.zeros(shape, tensor.dtype)
    filled = tf.concat([tensor, row], axis=0)
    return tf.ensure_shape(filled, [None, *tensor.shape[1:]])

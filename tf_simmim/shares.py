"""A replica's share of a batch, which may be empty.

Of the last batch of an evaluation, a replica may have no image. TensorFlow's
convolution (by oneDNN) of no images returns the features of its input, not its
own, and what follows fails. It is seen to here, where a share arrives, and not
where batches are made: those of a user's own data set are shared out by Keras.

Dimension key:
  B: images of a replica
"""

import tensorflow as tf


def run(function, *share, rows=None):
    """Calls a function of a share, with an image that does not count if empty.

    Args:
        function: callable (*tensors [max(B, 1), ...]) -> nested tensors, float
            [] or [max(B, 1), ...].
        *share: tensors [B, ...], B >= 0.
        rows: sequence with a tensor [1, ...] for each of `share`, to take in
            the place of nothing; None for zeros.

    Returns:
        What the function returns, [] or [B, ...]. A mean of an empty share
        means nothing, and has to count by its number of images: 0.
    """
    if share[0].shape[0]:
        return function(*share)
    num_images = tf.shape(share[0])[0]
    if rows is None:
        shapes = [[1, *tf.unstack(tf.shape(tensor)[1:])] for tensor in share]
        rows = [tf.zeros(shape) for shape in shapes]
    filled = [
        _with_a_row(tensor, row, num_images)
        for tensor, row in zip(share, rows, strict=True)
    ]
    return tf.nest.map_structure(
        lambda x: x[:num_images] if x.shape.rank else x, function(*filled)
    )


def _with_a_row(tensor, row, num_images):
    # Not tf.pad: where a convolution follows, oneDNN makes one of both, which
    # knows of no padding of the batch.
    row = tf.cast(row, tensor.dtype)[: 1 - tf.minimum(num_images, 1)]
    filled = tf.concat([tensor, row], axis=0)
    return tf.ensure_shape(filled, [None, *tensor.shape[1:]])

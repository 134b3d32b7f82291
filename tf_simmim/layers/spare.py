"""An image more, where there may be none."""

import tensorflow as tf


def and_a_spare(images):
    """Returns images and one that is black, so that there is one at least.

    Of the last batch of an evaluation, a replica may have no part.
    TensorFlow's convolution (by oneDNN) of no images returns the features of
    its input, not its own, and what follows fails.

    Args:
        images: [B, H, W, C], B >= 0.

    Returns:
        [B + 1, H, W, C] of the same type.
    """
    # Not tf.pad: where a convolution follows, oneDNN makes one of both, which
    # knows of no padding of the batch.
    spare = tf.zeros([1, *images.shape[1:]], images.dtype)
    return tf.concat([images, spare], axis=0)

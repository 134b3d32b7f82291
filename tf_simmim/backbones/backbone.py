"""What every backbone is, for Keras."""

import tensorflow as tf

from tf_simmim import freezing
from tf_simmim.layers import unconnected


class Backbone(freezing.KeepsFrozen, unconnected.Unconnected, tf.keras.Model):
    """A Keras model of its own class, whose frozen parts are kept in a file.

    A base class.

    Args:
        **kwargs: passed to `tf.keras.Model`.
    """

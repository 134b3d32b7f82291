"""GELU that keeps one tensor for its gradient instead of four."""

import functools
import math

import tensorflow as tf


def gelu(x):
    """Multiplies each value by the normal distribution function of it.

        gelu(x) = x Phi(x),   Phi(x) = (1 + erf(x / sqrt(2))) / 2
        gelu'(x) = Phi(x) + x phi(x),   phi(x) = exp(-x^2 / 2) / sqrt(2 pi)

    The numbers of `tf.nn.gelu(x, approximate=False)`. That one keeps x,
    x / sqrt(2), x / 2 and 1 + erf(...) until the gradient is computed: at four
    times the width of the tokens, a third of what a block keeps. This one
    keeps x, and computes Phi again.

    Args:
        x: float tensor of any shape, of known rank.

    Returns:
        Same shape and dtype.

    Source: Hendrycks and Gimpel, Gaussian Error Linear Units, 2016,
        https://arxiv.org/abs/1606.08415, section 2; exact, as in the
        reference.
    """
    return _function_for(tuple(x.shape), x.dtype)(x)


# TensorFlow registers a custom gradient wherever it is traced, and its registry
# keeps the tensors around it, hence their whole graph, for as long as the
# process lives. In a function of its own that is a graph of ten operations. It
# has one shape and no other: a function that takes several loses what is known
# of them, and XLA wants to know.
@functools.cache
def _function_for(shape, dtype):
    signature = [tf.TensorSpec(shape, dtype)]
    return tf.function(tf.custom_gradient(_Gelu()), input_signature=signature)


class _Gelu:
    """GELU as an object, of which there is one for each shape.

    TensorFlow counts how often a function is traced by its code, and would warn
    of networks whose blocks have many widths.
    """

    __name__ = "gelu"

    def __call__(self, x):
        def gradient(upstream):
            density = tf.exp(-0.5 * tf.square(x)) * (2.0 * math.pi) ** -0.5
            return upstream * (_distribution(x) + x * density)

        # Twice the distribution, times half of x, is the same to the bit; and
        # it is the order that TensorFlow Lite knows as its GELU.
        return 0.5 * x * (1.0 + tf.math.erf(x * 0.5**0.5)), gradient


def _distribution(x):
    return 0.5 * (1.0 + tf.math.erf(x * 0.5**0.5))

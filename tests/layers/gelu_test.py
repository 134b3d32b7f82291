"""Tests for tf_simmim.layers.gelu."""

import gc
import math
import weakref

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim.layers.gelu import gelu

# Where it bends, and far out, where float32 has nothing left to lose.
VALUES = np.linspace(-12, 12, 2 * 3 * 97).reshape([2, 3, 97])


def distribution(x):
    return (1 + np.vectorize(math.erf)(x / math.sqrt(2))) / 2


def value_and_gradient(function, x, upstream):
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = function(x)
    return y, tape.gradient(y, x, output_gradients=upstream)


class GeluTest(tf.test.TestCase, parameterized.TestCase):
    def test_value_and_gradient_equal_numpy(self):
        upstream = np.arange(VALUES.size).reshape(VALUES.shape) / 100
        value, gradient = value_and_gradient(
            gelu, tf.constant(VALUES), tf.constant(upstream)
        )
        density = np.exp(-(VALUES**2) / 2) / math.sqrt(2 * math.pi)
        slope = distribution(VALUES) + VALUES * density
        self.assertAllClose(value, VALUES * distribution(VALUES), atol=1e-14)
        self.assertAllClose(gradient, upstream * slope, atol=1e-13)

    @parameterized.product(
        dtype=[tf.float32, tf.bfloat16, tf.float16], jit_compile=[False, True]
    )
    def test_equals_tensorflows_in_every_precision(self, dtype, jit_compile):
        is_xla = dtype == tf.float32 and jit_compile
        if is_xla and not tf.__version__.startswith("2.15."):
            # Ours is as far off in both: XLA's erf(-8.5) is -1 + 1.8e-7.
            self.skipTest("Newer TensorFlow's under XLA is exact far out.")
        x = tf.cast(VALUES, dtype)

        def run(function):
            @tf.function(jit_compile=jit_compile)
            def value_and_gradient_of(x):
                return value_and_gradient(function, x, tf.ones_like(x))

            return value_and_gradient_of(x)

        ours = run(gelu)
        theirs = run(lambda x: tf.nn.gelu(x, approximate=False))
        tolerance = 8 * {tf.float32: 2**-23, tf.bfloat16: 2**-7}.get(
            dtype, 2**-10
        )
        for got, want in zip(ours, theirs, strict=True):
            self.assertEqual(got.dtype, dtype)
            self.assertAllClose(
                tf.cast(got, tf.float32),
                tf.cast(want, tf.float32),
                rtol=tolerance,
                atol=tolerance,
            )

    def test_extreme_values_have_finite_gradients(self):
        x = tf.constant([-3e38, -1e20, 0.0, 1e20, 3e38])
        _, gradient = value_and_gradient(gelu, x, tf.ones_like(x))
        self.assertAllEqual(gradient, [0.0, 0.0, 0.5, 1.0, 1.0])

    def test_gradient_needs_the_input_alone(self):
        num_forward = []

        def forward_of(x):
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = gelu(x)
            num_forward.append(len(x.graph.get_operations()))
            return tape.gradient(y, x)

        x = tf.constant(VALUES, tf.float32)
        run = tf.compat.v1.wrap_function(
            forward_of, [tf.TensorSpec(x.shape, x.dtype)]
        )
        operations = run.graph.get_operations()
        made = {
            t.ref() for op in operations[: num_forward[0]] for t in op.outputs
        }
        read = {
            tensor.ref()
            for op in operations[num_forward[0] :]
            for tensor in op.inputs
            if tensor.ref() in made
        }
        self.assertNotEmpty(read)
        # Handed on by name, and by value no other tensor than x.
        (argument,) = run.inputs
        for tensor in read:
            value = run.prune(argument, tensor.deref())(x)
            self.assertAllEqual(value, x)

    def test_a_known_shape_stays_known_after_a_general_one(self):
        """XLA, and whoever reads the graph, wants to know it."""
        for shape in ([None, None], [2, 3]):
            function = tf.function(gelu)
            spec = tf.TensorSpec(shape)
            graph = function.get_concrete_function(spec).graph
            (inner,) = graph.as_graph_def().library.function
            attributes = inner.arg_attr[0].attr["_output_shapes"]
            (known,) = attributes.list.shape
            self.assertEqual(tf.TensorShape(known).as_list(), shape)

    def test_many_widths_are_no_reason_to_warn_of_tracing(self):
        """As the blocks of a pruned network have them."""
        widths = range(2, 16)
        with self.assertNoLogs("tensorflow", "WARNING"):
            sums = [tf.reduce_sum(gelu(tf.ones([2, n]))) for n in widths]
        wanted = [2 * n * 0.5 * (1 + math.erf(0.5**0.5)) for n in widths]
        self.assertAllClose(sums, wanted, rtol=1e-6)

    def test_graphs_are_freed(self):
        """TensorFlow's registry of gradients would keep them."""
        graphs = []
        for _ in range(2):

            @tf.function
            def run(x):
                with tf.GradientTape() as tape:
                    tape.watch(x)
                    y = gelu(x)
                return tape.gradient(y, x)

            function = run.get_concrete_function(tf.TensorSpec([2, 3]))
            graphs.append(weakref.ref(function.graph))
            del run, function
        gc.collect()
        self.assertAllEqual([graph() is None for graph in graphs], [True, True])


if __name__ == "__main__":
    tf.test.main()

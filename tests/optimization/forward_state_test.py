"""Tests for tf_simmim.optimization.forward_state."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim import backbones
from tf_simmim import models
from tf_simmim import optimization

H, W, C, B = 16, 24, 2, 4


def assign(variable):
    variable.assign_add([1.0, 2.0])


def assign_in_a_function(variable):
    tf.function(assign)(variable)


def assign_in_a_branch(variable):
    is_so = tf.reduce_sum(variable) > -1.0
    tf.cond(is_so, lambda: assign(variable), lambda: None)


def assign_in_a_loop(variable):
    for _ in tf.range(2):
        variable.assign_add([0.5, 1.0])


def assign_under_xla(variable):
    tf.function(assign, jit_compile=True)(variable)


def step(variables, forward, is_skipped):
    """Returns how many of [variable that forward changes, others] are kept."""
    state = optimization.ForwardState(variables)
    forward(variables[0])
    # Reading is no change, in whatever way.
    tf.function(lambda: tf.gather(variables[1], [0]) + variables[2])()
    tf.cond(is_skipped, lambda: variables[2] + 1.0, lambda: 1.0 * variables[1])
    state.keep_changed()
    variables[1].assign([9.0, 9.0])  # after the forward pass
    state.restore_if(is_skipped)
    return len(state)


class ForwardStateTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters(
        assign,
        assign_in_a_function,
        assign_in_a_branch,
        assign_in_a_loop,
        assign_under_xla,
    )
    def test_what_a_graph_changes_is_put_back_and_nothing_else(self, forward):
        variables = [tf.Variable([3.0, 4.0]) for _ in range(3)]
        run = tf.function(lambda skipped: step(variables, forward, skipped))
        self.assertEqual(run(tf.constant(True)), 1)
        self.assertAllEqual(variables, [[3, 4], [9, 9], [3, 4]])
        self.assertEqual(run(tf.constant(False)), 1)
        self.assertAllEqual(variables, [[4, 6], [9, 9], [3, 4]])

    def test_eagerly_all_is_put_back(self):
        variable = tf.Variable([3.0, 4.0])
        for is_skipped, want in ((True, [3.0, 4.0]), (False, [4.0, 6.0])):
            state = optimization.ForwardState([variable])
            assign(variable)
            state.keep_changed()
            state.restore_if(tf.constant(is_skipped))
            self.assertAllEqual(variable, want)


class Counting(tf.keras.layers.Layer):
    """A user's layer, with state of its own that no name tells."""

    def build(self, input_shape):
        self.seen = self.add_weight(
            "seen", [], initializer="zeros", trainable=False
        )
        self.constant = self.add_weight(
            "constant", [], initializer="ones", trainable=False
        )

    def call(self, inputs):
        self.seen.assign_add(self.constant)
        return inputs + 0.0 * self.seen


class Counted(models.Classifier):
    """A classifier whose logits go through such a layer."""

    def __init__(self, **kwargs):
        self.counting = None
        super().__init__(**kwargs)
        self.counting = Counting()

    def call(self, inputs, training=None, seed=None):
        logits = super().call(inputs, training, seed)
        return logits if self.counting is None else self.counting(logits)


def create(cls=models.Classifier, is_frozen=False):
    backbone = backbones.ViT((H, W), 8, 6, 2, 3, channels=C, final_norm=False)
    model = cls(backbone=backbone, num_classes=3)
    backbone.trainable = not is_frozen
    model.compile(
        optimization.create_optimizer("adamw", model, 1e-3), run_eagerly=False
    )
    return model


def assignments(model):
    """Returns the assignments in a step's graph, but for the optimizer's."""
    step = tf.function(model.train_step).get_concrete_function(
        (tf.TensorSpec([B, H, W, C]), tf.TensorSpec([B], tf.int64))
    )
    # The optimizer's are in a branch.
    return sum("Assign" in op.type for op in step.graph.get_operations())


class GuardTest(tf.test.TestCase):
    def test_frozen_weights_are_not_written(self):
        self.assertEqual(
            assignments(create(is_frozen=True)), assignments(create())
        )

    def test_state_of_a_user_s_layer_is_guarded_where_it_changes(self):
        model = create(Counted, is_frozen=True)
        model(tf.zeros([B, H, W, C]))
        model.counting.seen.assign(0.0)
        # By the layer itself, for the guard, and of the mark before them.
        self.assertEqual(assignments(model), assignments(create()) + 3)
        images = np.ones([B, H, W, C], np.float32)
        step = tf.function(model.train_step)
        for factor, want in ((1.0, 1.0), (np.nan, 1.0), (1.0, 2.0)):
            step((factor * images, np.zeros([B], np.int64)))
            self.assertEqual(model.counting.seen.numpy(), want)


if __name__ == "__main__":
    tf.test.main()

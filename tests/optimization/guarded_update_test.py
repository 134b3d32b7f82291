"""Tests for tf_simmim.optimization.guarded_update."""

import functools
import itertools

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim import optimization

GOOD = ([0.5, -2.0, 1.0], [0.25, 4.0])
START = ([1.0, 2.0, 3.0], [-1.0, 5.0])
BAD_NUMBERS = (np.nan, np.inf, -np.inf)


def create(name):
    """Returns an optimizer and variables, all of whose state exists."""
    variables = [tf.Variable(v, name=f"v{len(v)}") for v in START]
    if name == "adamw":
        optimizer = tf.keras.optimizers.AdamW(0.1, weight_decay=0.1)
    elif name == "averaging":
        optimizer = tf.keras.optimizers.SGD(
            0.1, momentum=0.9, use_ema=True, ema_momentum=0.5
        )
    elif name == "legacy":
        optimizer = tf.keras.optimizers.legacy.Adam(0.1)
        optimizer._create_all_weights(variables)
        return optimizer, variables
    optimizer.build(variables)
    return optimizer, variables


def state(optimizer, variables):
    slots = optimizer.variables
    slots = slots() if callable(slots) else slots
    values = [v.numpy() for v in (*variables, *slots)]
    # The clock is the one integer.
    return [value for value in values if value.dtype.kind == "f"]


def step(optimizer, variables, gradients, loss, after_step=None):
    gradients = [tf.constant(g) for g in gradients]
    norm = tf.linalg.global_norm(gradients)
    return optimization.apply_if_finite(
        optimizer,
        gradients,
        variables,
        tf.constant(loss),
        norm,
        after_step=after_step,
    )


OPTIMIZERS = ("adamw", "averaging", "legacy")
FAULTS = [
    *(("loss", GOOD, bad) for bad in BAD_NUMBERS),
    *(("gradient", (GOOD[0], [bad, 4.0]), 0.7) for bad in BAD_NUMBERS),
]


class ApplyIfFiniteTest(tf.test.TestCase, parameterized.TestCase):
    def function(self, mode):
        # A function of its own for each optimizer, whose variables it holds.
        return {
            "eager": step,
            "graph": tf.function(step),
            "xla": tf.function(step, jit_compile=True),
        }[mode]

    @parameterized.parameters(
        *itertools.product(OPTIMIZERS, ("eager", "graph", "xla"))
    )
    def test_a_fault_changes_nothing_but_the_clock(self, name, mode):
        optimizer, variables = create(name)
        apply = self.function(mode)
        apply(optimizer, variables, GOOD, 0.7)
        before = state(optimizer, variables)
        for number, (_, gradients, loss) in enumerate(FAULTS, start=1):
            skipped = apply(optimizer, variables, gradients, loss)
            self.assertTrue(skipped)
            self.assertEqual(int(optimizer.iterations), 1 + number)
            for old, new in zip(
                before, state(optimizer, variables), strict=True
            ):
                np.testing.assert_array_equal(new, old)

    @parameterized.parameters(*OPTIMIZERS)
    def test_a_good_step_is_the_optimizer_s_own(self, name):
        guarded, guarded_variables = create(name)
        plain, plain_variables = create(name)
        for _ in range(3):
            skipped = step(guarded, guarded_variables, GOOD, 0.7)
            self.assertFalse(skipped)
            plain.apply_gradients(
                zip(map(tf.constant, GOOD), plain_variables, strict=True)
            )
        self.assertEqual(int(guarded.iterations), 3)
        for a, b in zip(
            state(guarded, guarded_variables),
            state(plain, plain_variables),
            strict=True,
        ):
            np.testing.assert_array_equal(a, b)

    @parameterized.parameters(*OPTIMIZERS)
    def test_what_follows_sees_new_values_and_no_fault(self, name):
        optimizer, variables = create(name)
        seen = []
        for gradients, loss in ((GOOD, 0.7), (GOOD, np.nan), (GOOD, 0.7)):
            step(
                optimizer,
                variables,
                gradients,
                loss,
                lambda: seen.append(variables[1].numpy()),
            )
        self.assertLen(seen, 2)
        self.assertAllEqual(seen[1], variables[1])
        self.assertAllLess(np.abs(seen[0] - [-1.0, 5.0]), 0.5)
        self.assertNotAllClose(seen[0], seen[1])


class LossScaleTest(tf.test.TestCase, parameterized.TestCase):
    def create(self, dynamic=True, initial_scale=8.0):
        inner, variables = create("adamw")
        scaled = tf.keras.mixed_precision.LossScaleOptimizer(
            inner, dynamic=dynamic, initial_scale=initial_scale
        )
        # What the model does; without it Keras warns.
        scaled.get_scaled_loss(tf.constant(1.0))
        scaled.get_unscaled_gradients([tf.constant(1.0)])
        return scaled, variables

    def test_a_scale_that_is_too_large_is_halved_and_no_fault(self):
        optimizer, variables = self.create()
        before = state(optimizer, variables)
        steps = []
        after_step = functools.partial(steps.append, 1)
        gradients = ([np.inf] * 3, GOOD[1])
        skipped = step(optimizer, variables, gradients, 0.7, after_step)
        self.assertFalse(skipped)
        self.assertEmpty(steps)  # no weight has changed
        self.assertEqual(float(optimizer.loss_scale), 4.0)
        self.assertEqual(int(optimizer.iterations), 1)
        for old, new in zip(before, state(optimizer, variables), strict=True):
            np.testing.assert_array_equal(new, old)

    def test_it_is_a_fault_once_the_scale_is_one(self):
        optimizer, variables = self.create()
        skipped = [
            bool(step(optimizer, variables, ([np.nan] * 3, GOOD[1]), 0.7))
            for _ in range(5)
        ]
        self.assertEqual(skipped, [False, False, False, True, True])
        self.assertEqual(float(optimizer.loss_scale), 1.0)
        self.assertEqual(int(optimizer.iterations), 5)

    def test_a_loss_that_is_not_finite_is_a_fault_and_leaves_the_scale(self):
        optimizer, variables = self.create()
        skipped = step(optimizer, variables, ([np.nan] * 3, GOOD[1]), np.nan)
        self.assertTrue(skipped)
        self.assertEqual(float(optimizer.loss_scale), 8.0)
        self.assertEqual(int(optimizer.iterations), 1)

    def test_a_fixed_scale_cannot_be_to_blame(self):
        optimizer, variables = self.create(dynamic=False)
        before = state(optimizer, variables)
        skipped = step(optimizer, variables, ([np.nan] * 3, GOOD[1]), 0.7)
        self.assertTrue(skipped)
        for old, new in zip(before, state(optimizer, variables), strict=True):
            np.testing.assert_array_equal(new, old)

    def test_a_good_step_is_applied(self):
        optimizer, variables = self.create()
        steps = []
        after_step = functools.partial(steps.append, 1)
        self.assertFalse(step(optimizer, variables, GOOD, 0.7, after_step))
        self.assertNotAllClose(variables[0], START[0])
        self.assertLen(steps, 1)


if __name__ == "__main__":
    tf.test.main()

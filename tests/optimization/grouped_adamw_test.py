"""Tests for tf_simmim.optimization.grouped_adamw."""

import os

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim import optimization
from tf_simmim.optimization import grouped_adamw

SHAPES = ([2, 3], [4], [3, 2])
SCALES = (0.1, 0.5, 1.0)
DECAYS = (0.3, 0.0, 0.2)
RATE = 0.1


def create(scales=SCALES, decays=DECAYS, learning_rate=RATE, **options):
    """Returns an optimizer, built for variables away from zero."""
    rng = np.random.default_rng(0)
    variables = [
        tf.Variable(rng.uniform(0.5, 1.5, shape).astype(np.float32))
        for shape in SHAPES
    ]
    optimizer = grouped_adamw.GroupedAdamW(
        learning_rate, scales, decays, epsilon=1e-3, **options
    )
    optimizer.build(variables)
    return optimizer, variables


def gradients(step):
    rng = np.random.default_rng(step)
    return [rng.normal(size=shape).astype(np.float32) for shape in SHAPES]


def train(optimizer, variables, num_steps=3):
    for step in range(num_steps):
        pairs = zip(map(tf.constant, gradients(step)), variables, strict=True)
        optimizer.apply_gradients(pairs)
    return [variable.numpy() for variable in variables]


def by_hand(start, scales, decays, rates, num_steps=3):
    """AdamW in NumPy; `rates` is a function of (scale, step)."""
    x = [value.astype(np.float64) for value in start]
    m, v = ([np.zeros(shape) for shape in SHAPES] for _ in range(2))
    for step in range(num_steps):
        correction = np.sqrt(1 - 0.999 ** (step + 1)) / (1 - 0.9 ** (step + 1))
        for i, gradient in enumerate(gradients(step)):
            rate = rates(scales[i], step)
            x[i] *= 1 - rate * decays[i]
            m[i] = 0.9 * m[i] + 0.1 * gradient
            v[i] = 0.999 * v[i] + 0.001 * gradient**2
            x[i] -= rate * correction * m[i] / (np.sqrt(v[i]) + 1e-3)
    return x


class GroupedAdamWTest(tf.test.TestCase, parameterized.TestCase):
    def test_each_variable_has_its_rate_and_its_decay(self):
        optimizer, variables = create()
        start = [variable.numpy() for variable in variables]
        got = train(optimizer, variables)
        want = by_hand(start, SCALES, DECAYS, lambda scale, _: scale * RATE)
        for a, b in zip(got, want, strict=True):
            self.assertAllClose(a, b, rtol=1e-5, atol=1e-6)
        self.assertAllClose(optimizer.learning_rate, RATE)

    def test_a_schedule_is_scaled_but_for_what_is_shared(self):
        schedule = optimization.WarmupCosine(
            RATE, 4, 1, warmup_learning_rate=0.03, min_learning_rate=0.02
        )
        shared = optimization.WarmupCosine(
            0.0, 4, 1, warmup_learning_rate=0.03, min_learning_rate=0.02
        )
        optimizer, variables = create(
            learning_rate=schedule, shared_learning_rate=shared
        )
        start = [variable.numpy() for variable in variables]
        got = train(optimizer, variables)

        def rates(scale, step):
            return float(scale * schedule(step) + (1 - scale) * shared(step))

        want = by_hand(start, SCALES, DECAYS, rates)
        for a, b in zip(got, want, strict=True):
            self.assertAllClose(a, b, rtol=1e-5, atol=1e-6)
        # The first update of a warm-up is the same for all.
        self.assertAllClose(rates(0.1, 0), 0.03)
        self.assertAllClose(optimizer.learning_rate, schedule(2))

    def test_scales_of_one_are_the_adamw_of_keras(self):
        optimizer, variables = create([1.0] * 3, [0.2] * 3, global_clipnorm=0.5)
        plain = tf.keras.optimizers.AdamW(
            RATE, weight_decay=0.2, epsilon=1e-3, global_clipnorm=0.5
        )
        _, others = create()
        plain.build(others)
        for a, b in zip(
            train(optimizer, variables), train(plain, others), strict=True
        ):
            self.assertAllClose(a, b, rtol=1e-6)

    def test_config_round_trip_keeps_groups_and_schedules(self):
        schedule = optimization.WarmupCosine(RATE, 4, 1)
        optimizer, variables = create(
            learning_rate=schedule,
            shared_learning_rate=schedule,
            use_ema=True,
            ema_momentum=0.5,
        )
        config = tf.keras.saving.serialize_keras_object(optimizer)
        copy = tf.keras.saving.deserialize_keras_object(config)
        self.assertEqual(copy.get_config(), optimizer.get_config())
        _, others = create()
        for a, b in zip(
            train(optimizer, variables), train(copy, others), strict=True
        ):
            self.assertAllEqual(a, b)

    def test_averages_follow_the_weights_and_fit_does_not_put_them_in(self):
        optimizer, variables = create(use_ema=True, ema_momentum=0.75)
        average = variables[0].numpy()
        for step in range(2):
            pairs = zip(
                map(tf.constant, gradients(step)), variables, strict=True
            )
            optimizer.apply_gradients(pairs)
            average = 0.75 * average + 0.25 * variables[0].numpy()
        self.assertAllClose(optimizer.averages[0], average)
        before = variables[0].numpy()
        optimizer.finalize_variable_values(variables)
        self.assertAllEqual(variables[0], before)
        self.assertEmpty(create()[0].averages)

    def test_a_checkpoint_holds_averages_moments_and_clock(self):
        options = dict(use_ema=True, ema_momentum=0.75)
        optimizer, variables = create(**options)
        train(optimizer, variables)
        path = os.path.join(self.get_temp_dir(), "state")
        tf.train.Checkpoint(optimizer=optimizer, v=variables).write(path)
        copy, others = create(**options)
        checkpoint = tf.train.Checkpoint(optimizer=copy, v=others)
        checkpoint.read(path).assert_existing_objects_matched()
        for one, two in ((optimizer, variables), (copy, others)):
            train(one, two)
        for a, b in zip(
            [*optimizer.variables, *variables],
            [*copy.variables, *others],
            strict=True,
        ):
            self.assertAllEqual(a, b)

    def test_numbers_that_do_not_fit_are_refused(self):
        with self.assertRaisesRegex(ValueError, "Received: 2 and 3 numbers"):
            create(scales=(1.0, 0.5))
        with self.assertRaisesRegex(ValueError, "Received: 3 variables"):
            create((1.0, 0.5), (0.1, 0.1))


if __name__ == "__main__":
    tf.test.main()

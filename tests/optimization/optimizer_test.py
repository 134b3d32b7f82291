"""Tests for tf_simmim.optimization.optimizer."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tests import slow_cases
from tf_simmim import backbones
from tf_simmim import models
from tf_simmim.optimization import optimizer as optimizer_lib
from tf_simmim.optimization import warmup_cosine
from tf_simmim.optimization import weight_decay

RATE, DECAY = 0.1, 0.3


def simmim():
    vit = backbones.ViT(
        (16, 24), 8, embed_dim=12, depth=1, num_heads=3, channels=1
    )
    return models.SimMIM(vit, mask_patch_size=8)


class ScaleLearningRateTest(tf.test.TestCase):
    def test_is_linear_in_the_global_batch(self):
        scale = optimizer_lib.scale_learning_rate
        self.assertAllClose(scale(1e-4, 2048), 4e-4)
        self.assertAllClose(scale(1e-4, 128), 2.5e-5)
        self.assertAllClose(scale(1e-4, 1024, reference_batch_size=256), 4e-4)


class CreateOptimizerTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.rng = np.random.default_rng(0)
        self.model = simmim()
        self.variables = self.model.trainable_variables
        # Away from zero, so that every decay can be seen.
        self.start = [
            self.rng.uniform(0.5, 1.5, size=v.shape).astype(np.float32)
            for v in self.variables
        ]
        self.gradients = [
            self.rng.normal(size=v.shape).astype(np.float32)
            for v in self.variables
        ]

    def _exempt(self, grouping="reference"):
        exempt = weight_decay.exempt_from_weight_decay(self.model, grouping)
        return [any(v is e for e in exempt) for v in self.variables]

    def _step(self, name, gradients, steps=1, learning_rate=RATE, **options):
        """Weights after steps from the same start."""
        for variable, value in zip(self.variables, self.start, strict=True):
            variable.assign(value)
        optimizer = optimizer_lib.create_optimizer(
            name, self.model, learning_rate, **options
        )
        for step in range(steps):
            # Of another size and direction at every step.
            scaled = [tf.constant(g * (-0.5) ** step) for g in gradients]
            optimizer.apply_gradients(zip(scaled, self.variables, strict=True))
        return [variable.numpy() for variable in self.variables]

    @parameterized.product(
        name=("adamw", "lamb"), grouping=("reference", "intended")
    )
    def test_without_gradients_only_weights_that_decay_move(
        self, name, grouping
    ):
        zeros = [np.zeros_like(g) for g in self.gradients]
        after = self._step(
            name, zeros, weight_decay=DECAY, weight_decay_grouping=grouping
        )
        # LAMB scales the update to the norm of the weight, so that the size
        # of the decay cancels.
        factor = 1 - RATE * DECAY if name == "adamw" else 1 - RATE
        exempt = self._exempt(grouping)
        self.assertIn(True, exempt)
        self.assertIn(False, exempt)
        for is_exempt, w, start in zip(exempt, after, self.start, strict=True):
            if is_exempt:
                self.assertAllEqual(w, start)
            else:
                self.assertAllClose(w, factor * start, rtol=1e-5)

    @slow_cases.slow_cases(1)
    @parameterized.parameters("adamw", "lamb")
    def test_exempt_weights_stay_on_every_replica(self, name):
        strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
        with strategy.scope():
            model = simmim()
            optimizer = optimizer_lib.create_optimizer(name, model, RATE)
        variables = model.trainable_variables
        before = [variable.numpy() for variable in variables]

        def step():
            zeros = [tf.zeros_like(variable) for variable in variables]
            optimizer.apply_gradients(
                zip(zeros, variables, strict=True),
                experimental_aggregate_gradients=False,
            )

        tf.function(lambda: strategy.run(step))()
        for variable, start in zip(variables, before, strict=True):
            first, second = (v.numpy() for v in variable.values)
            self.assertAllEqual(first, second)
            if len(variable.shape) == 1:
                self.assertAllEqual(first, start)

    def test_first_step_of_adamw_is_decay_and_a_sign(self):
        after = self._step("adamw", self.gradients, weight_decay=DECAY)
        for is_exempt, w, start, gradient in zip(
            self._exempt(), after, self.start, self.gradients, strict=True
        ):
            factor = 1.0 if is_exempt else 1 - RATE * DECAY
            want = factor * start - RATE * np.sign(gradient)
            # The smallest clipped gradients are near epsilon.
            self.assertAllClose(w, want, atol=0.01)

    def test_first_step_of_lamb_is_as_long_as_the_weight_times_the_rate(self):
        after = self._step("lamb", self.gradients)
        for is_exempt, w, start in zip(
            self._exempt(), after, self.start, strict=True
        ):
            if not is_exempt:
                length = np.linalg.norm(w - start) / np.linalg.norm(start)
                self.assertAllClose(length, RATE, rtol=1e-3)

    @parameterized.parameters("adamw", "lamb")
    def test_clipping_scales_all_gradients_by_their_global_norm(self, name):
        # A large epsilon, so that the size of a gradient matters at all.
        options = dict(epsilon=1.0, learning_rate=1.0, weight_decay=0.0)
        clipped, norm = tf.clip_by_global_norm(self.gradients, 0.5)
        self.assertGreater(norm, 5.0)
        by_hand = self._step(
            name, [g.numpy() for g in clipped], clip_global_norm=None, **options
        )
        raw = self._step(name, self.gradients, clip_global_norm=None, **options)
        got = self._step(name, self.gradients, clip_global_norm=0.5, **options)
        for a, b in zip(got, by_hand, strict=True):
            self.assertAllClose(a, b, rtol=1e-5, atol=1e-6)
        self.assertGreater(
            max(np.abs(a - b).max() for a, b in zip(got, raw, strict=True)),
            1e-3,
        )

    @parameterized.parameters("adamw", "lamb")
    def test_gradients_are_clipped_at_5_unless_told(self, name):
        options = dict(epsilon=1.0, learning_rate=1.0)
        default = self._step(name, self.gradients, **options)
        five = self._step(name, self.gradients, clip_global_norm=5.0, **options)
        for a, b in zip(default, five, strict=True):
            self.assertAllEqual(a, b)

    @parameterized.product(
        name=("adamw", "lamb"),
        options=(
            {"beta_1": 0.5},
            {"beta_2": 0.9},
            {"epsilon": 0.1},
            {"weight_decay": 0.5},
            {"learning_rate": 0.2},
        ),
    )
    def test_every_option_changes_the_weights(self, name, options):
        options = {"learning_rate": RATE, **options}
        fixed = dict(steps=2, clip_global_norm=None)
        default = self._step(name, self.gradients, **fixed)
        other = self._step(name, self.gradients, **fixed, **options)
        self.assertGreater(
            max(
                np.abs(a - b).max() for a, b in zip(default, other, strict=True)
            ),
            1e-4,
        )

    @parameterized.parameters("adamw", "lamb")
    def test_learning_rate_may_be_a_schedule(self, name):
        schedule = warmup_cosine.WarmupCosine(RATE, 10, warmup_steps=5)
        first = self._step(name, self.gradients, learning_rate=schedule)
        for w, start in zip(first, self.start, strict=True):
            self.assertAllEqual(w, start)  # the first rate is zero
        second = self._step(
            name, self.gradients, learning_rate=schedule, steps=2
        )
        for w, start in zip(second, self.start, strict=True):
            self.assertNotAllClose(w, start)

    @slow_cases.slow_cases(1)
    @parameterized.parameters(("adamw", 0.02), ("lamb", 0.1))
    def test_trains_a_model(self, name, learning_rate):
        images = self.rng.uniform(size=[2, 16, 24, 1]).astype(np.float32)
        elements = {
            "image": np.concatenate([images + 1, images - 1]),
            "patch_mask": np.array([[[1, 0, 1], [0, 1, 0]]] * 4, np.int32),
        }
        self.model.compile(
            optimizer_lib.create_optimizer(name, self.model, learning_rate)
        )
        history = self.model.fit(
            tf.data.Dataset.from_tensors(elements), epochs=20, verbose=0
        )
        losses = history.history["loss"]
        self.assertLess(losses[-1], 0.8 * losses[0])
        self.assertEqual(self.model.optimizer.iterations, 20)

    def test_unknown_names_are_refused(self):
        with self.assertRaisesRegex(
            ValueError, "`name` must be one of .*Received: 'sgd'"
        ):
            optimizer_lib.create_optimizer("sgd", self.model, RATE)
        with self.assertRaisesRegex(ValueError, "`grouping`"):
            optimizer_lib.create_optimizer(
                "adamw", self.model, RATE, weight_decay_grouping="all"
            )


if __name__ == "__main__":
    tf.test.main()

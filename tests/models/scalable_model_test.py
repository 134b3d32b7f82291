"""Tests for tf_simmim.models.scalable_model, on SimMIM.

Each way of taking a step is compared with the plain one: whole batch, eagerly,
one replica.
"""

import os
from unittest import mock

import numpy as np
import pytest
import tensorflow as tf
from absl.testing import parameterized

from tests.models import contract
from tf_simmim import models
from tf_simmim import optimization

B, C = contract.B, contract.C
H, W = 16, 24
IMAGES = contract.images((H, W))
# Most patches hidden in the first images, few in the last.
UNEVEN = np.zeros([B, 2, 3], np.int32)
for _row, _count in enumerate((5, 5, 4, 5, 1, 2, 1, 1)):
    UNEVEN[_row].flat[:_count] = 1


class SimMIMStepTest(contract.StepContract, tf.test.TestCase):
    """Micro-batches that hide different numbers add up exactly."""

    element = {"image": IMAGES, "patch_mask": UNEVEN}
    ways = [("vit", 1, 4, False)]
    clip_norm = 0.5

    @classmethod
    def images_to_evaluate(cls, replicas):
        # A batch has its own masks, and the mean over what they hide.
        return super().images_to_evaluate(replicas=2)

    @classmethod
    def create_model(cls, backbone):
        return models.SimMIM(backbone, mask_patch_size=8, mask_ratio=0.5)

    @classmethod
    def create_optimizer(cls, model):
        # The published rate: Adam divides by the size of the gradient, which
        # magnifies rounding where the gradient is near zero.
        return optimization.create_optimizer(
            "adamw", model, 4e-4, clip_global_norm=cls.clip_norm
        )


class ScalableModelTest(
    SimMIMStepTest, contract.ModelContract, parameterized.TestCase
):
    # Drop path is on, masks are drawn in the step, and clipping is at work.
    # Every pair of two settings comes up, here or in the other tests.
    element = {"image": IMAGES}
    ways = [("swin", 2, 1, False), ("swin", 1, 4, True)]

    @pytest.mark.slow
    def test_eager_micro_batches_are_those_of_the_graph(self):
        numbers = self.train(run_eagerly=True, accumulation_steps=2)
        self.assert_plain("vit", numbers)

    @pytest.mark.slow
    def test_gradients_are_exchanged_and_applied_once_per_update(self):
        """Of micro-batches, on two replicas, compiled by XLA."""
        calls = []

        class Recorder(tf.distribute.ReductionToOneDevice):
            def batch_reduce_implementation(self, reduce_op, pairs, *args):
                calls.append(len(pairs))
                return super().batch_reduce_implementation(
                    reduce_op, pairs, *args
                )

        strategy = tf.distribute.MirroredStrategy(
            ["/cpu:0", "/cpu:1"], cross_device_ops=Recorder()
        )
        numbers = self.train(
            "vit", strategy, accumulation_steps=2, jit_compile=True
        )
        self.assert_plain("vit", numbers)
        variables = len(numbers[1])
        self.assertEqual([n for n in calls if n > 3], [variables + 1])

    @pytest.mark.slow
    @mock.patch.object(SimMIMStepTest, "vit_options", {"embed_dim": 6})
    def test_float16_scales_the_loss_of_micro_batches(self):
        tf.keras.mixed_precision.set_global_policy("mixed_float16")
        self.addCleanup(tf.keras.mixed_precision.set_global_policy, "float32")
        logs = [
            self.create(**options).train_on_batch(IMAGES, return_dict=True)
            for options in (
                {"run_eagerly": True},
                {"accumulation_steps": 2, "jit_compile": True},
            )
        ]
        self.assertAllClose(logs[1]["loss"], logs[0]["loss"], rtol=1e-3)
        self.assertAllClose(
            logs[1]["gradient_norm"], logs[0]["gradient_norm"], rtol=1e-2
        )

    @pytest.mark.slow
    def test_a_batch_that_does_not_split_is_refused(self):
        model = self.create(accumulation_steps=3)
        message = (
            "the nearest batches that work are 6 and 9 images. Received: 8"
        )
        with self.assertRaisesRegex(ValueError, message):
            model.train_on_batch(IMAGES)
        # Where the batch is known only when the step runs.
        with self.assertRaisesRegex(
            tf.errors.InvalidArgumentError, r"work are\] \[6\] \[and\] \[9\]"
        ):
            model.fit(
                tf.data.Dataset.from_tensor_slices(IMAGES).batch(8), verbose=0
            )

    @parameterized.parameters(
        ({"accumulation_steps": 0}, "must be a positive int. Received: 0"),
        ({"accumulation_steps": 2.0}, "must be a positive int. Received: 2.0"),
        ({"jit_compile": True, "run_eagerly": True}, "exclude each other"),
    )
    def test_impossible_arguments_are_refused(self, options, message):
        with self.assertRaisesRegex(ValueError, message):
            self.create(**options)

    def test_a_saved_model_is_compiled_as_it_was(self):
        model = self.create(accumulation_steps=2, jit_compile=True)
        path = os.path.join(self.get_temp_dir(), "model.keras")
        model.save(path)
        copy = tf.keras.models.load_model(path)
        self.assertEqual(copy.accumulation_steps, 2)
        self.assertTrue(copy.uses_xla)
        self.assertEqual(copy.optimizer.get_config()["global_clipnorm"], 0.5)


create = ScalableModelTest.create

# What sums or divides by a sum, and would lose in few bits. (GELU, value by
# value, may be computed in them. So may the gradient of a gather of cells,
# where each sum has one term.)
SENSITIVE = {
    *("Softmax", "LogSoftmax", "Mean", "SquaredDifference", "Rsqrt", "Sqrt"),
    *("L2Loss", "Abs", "Sign"),
}


class PrecisionTest(tf.test.TestCase, parameterized.TestCase):
    def set_policy(self, policy):
        tf.keras.mixed_precision.set_global_policy(policy)
        self.addCleanup(tf.keras.mixed_precision.set_global_policy, "float32")

    @parameterized.parameters(("bfloat16", "vit"), ("float16", "swin"))
    @pytest.mark.slow
    def test_softmax_norms_loss_and_sums_are_float32(self, precision, kind):
        self.set_policy(f"mixed_{precision}")
        model = create(kind)
        step = tf.function(model.train_step).get_concrete_function(
            tf.TensorSpec(IMAGES.shape)
        )
        found = set()
        graphs = [step.graph.as_graph_def()]
        nodes = [*graphs[0].node]
        for function in graphs[0].library.function:
            nodes += function.node_def
        for node in nodes:
            if node.op in SENSITIVE and "T" in node.attr:
                found.add((node.op, tf.as_dtype(node.attr["T"].type).name))
        ops = {op for op, _ in found}
        self.assertContainsSubset(
            {"Softmax", "Mean", "Rsqrt", "L2Loss", "Abs"}, ops
        )
        low = [pair for pair in found if pair[1] in ("float16", "bfloat16")]
        self.assertEqual(low, [])
        # And the rest really is computed in few bits.
        matmuls = {
            tf.as_dtype(n.attr["T"].type).name
            for n in nodes
            if "MatMul" in n.op
        }
        self.assertIn(precision, matmuls)
        for variable in (*model.weights, *model.optimizer.variables):
            if variable.dtype.is_floating:
                self.assertEqual(variable.dtype, tf.float32)

    @parameterized.parameters("bfloat16", "float16")
    def test_the_loss_of_a_known_prediction_is_that_of_float32(self, precision):
        # Its sum over hidden pixels overflows float16.
        images = 1000.0 * IMAGES

        def loss():
            model = create()
            for weight in model.head.weights:
                weight.assign(tf.zeros_like(weight))
            return model.evaluate(images, batch_size=B, verbose=0)

        wanted = loss()
        self.set_policy(f"mixed_{precision}")
        self.assertAllClose(loss(), wanted, rtol=1e-7)

    @parameterized.parameters("bfloat16", "float16")
    def test_statistics_of_the_target_are_those_of_float32(self, precision):
        self.set_policy(f"mixed_{precision}")
        backbone = create().backbone
        model = models.SimMIM(backbone, 8, target="patch_normalized")
        for weight in model.head.weights:
            weight.assign(tf.zeros_like(weight))
        images = 100.0 + IMAGES
        outputs = model(images, patch_mask=UNEVEN)
        # A prediction of zero is the mean of the cell.
        cells = images.reshape([B, 2, 8, 3, 8, C]).mean(axis=(2, 4, 5))
        wanted = cells.repeat(8, axis=1).repeat(8, axis=2)
        for channel in range(C):
            self.assertAllClose(
                outputs["reconstruction"][..., channel], wanted, rtol=1e-6
            )


class SavingTest(tf.test.TestCase):
    def test_a_keras_file_keeps_what_is_frozen(self):
        model = models.Classifier(create().backbone, num_classes=3)
        model.backbone.trainable = False
        file = os.path.join(self.get_temp_dir(), "model.keras")
        model.save(file)
        loaded = tf.keras.models.load_model(file)
        self.assertLen(model.trainable_weights, 2)
        self.assertLen(loaded.trainable_weights, 2)
        model.head.trainable = False
        model.save(file)
        self.assertEmpty(tf.keras.models.load_model(file).trainable_weights)


class CompileTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters("loss", "loss_weights", "weighted_metrics")
    def test_a_loss_of_keras_is_refused_with_what_to_use_instead(self, name):
        with self.assertRaisesRegex(
            ValueError, rf"`{name}` must be None.*Use `SimMIM\(reconstruction_l"
        ):
            create(**{name: ["mse"]})

    def test_a_loss_in_second_place_is_not_taken_for_a_switch(self):
        with self.assertRaisesRegex(ValueError, "must be a bool. Received: 'm"):
            create().compile("adam", "mse")

    def test_a_model_that_was_saved_with_a_loss_still_opens(self):
        model = create()
        config = {**model.get_compile_config(), "loss": "mse"}
        model.compile_from_config(config)
        self.assertIsInstance(model.optimizer, type(create().optimizer))
        # As Keras calls it for a folder.
        model.compile("sgd", loss="mse", from_serialized=True)
        self.assertIsInstance(model.optimizer, tf.keras.optimizers.SGD)


if __name__ == "__main__":
    tf.test.main()

"""Tests for tf_simmim.models.scalable_model, on SimMIM.

Each way of taking a step is compared with the plain one: whole batch, eagerly,
one replica.
"""

import functools
import os

import numpy as np
import pytest
import tensorflow as tf
from absl.testing import parameterized

from tests.models import replicas as replicas_lib
from tf_simmim import backbones
from tf_simmim import models
from tf_simmim import optimization

B, H, W, C = 8, 16, 24, 2
IMAGES = np.random.default_rng(0).normal(size=[B, H, W, C]).astype(np.float32)
# Most patches hidden in the first images, few in the last.
UNEVEN = np.zeros([B, 2, 3], np.int32)
for _row, _count in enumerate((5, 5, 4, 5, 1, 2, 1, 1)):
    UNEVEN[_row].flat[:_count] = 1


def create(kind="vit", clip_global_norm=0.5, **options):
    """Returns a compiled SimMIM with drop path; the same weights each time."""
    tf.keras.utils.set_random_seed(0)
    if kind == "vit":
        backbone = backbones.ViT(
            (H, W),
            patch_size=8,
            embed_dim=6,
            depth=2,
            num_heads=3,
            channels=C,
            drop_path_rate=0.5,
        )
    else:
        backbone = backbones.Swin(
            (H, W),
            patch_size=4,
            embed_dim=4,
            depths=(1, 1),
            num_heads=(1, 2),
            window_size=(3, 4),
            channels=C,
            drop_path_rate=0.5,
        )
    model = models.SimMIM(backbone, mask_patch_size=8, mask_ratio=0.5)
    # The published rate: Adam divides by the size of the gradient, which
    # magnifies rounding where the gradient is near zero.
    optimizer = optimization.create_optimizer(
        "adamw", model, 4e-4, clip_global_norm=clip_global_norm
    )
    model.compile(optimizer, **options)
    return model


def train(kind="vit", strategy=None, batch=IMAGES, num_steps=2, **options):
    """Returns {what: numbers} of a few steps."""
    with (strategy or tf.distribute.get_strategy()).scope():
        model = create(kind, **options)
    logs = model.fit(replicas_lib.repeated(batch, num_steps), verbose=0).history
    return {
        "loss": logs["loss"],
        "gradient_norm": logs["gradient_norm"],
        "updates": int(model.optimizer.iterations.numpy()),
        "weights": [w.numpy() for w in model.trainable_variables],
    }


@functools.cache
def plain(kind):
    return train(kind, run_eagerly=True)


class ScalableModelTest(tf.test.TestCase, parameterized.TestCase):
    def assert_same(self, actual, wanted):
        self.assertAllClose(actual["loss"], wanted["loss"], rtol=0, atol=1e-6)
        self.assertAllClose(
            actual["gradient_norm"], wanted["gradient_norm"], rtol=1e-6
        )
        self.assertEqual(actual["updates"], wanted["updates"])
        for a, b in zip(actual["weights"], wanted["weights"], strict=True):
            self.assertAllClose(a, b, rtol=0, atol=1e-6)

    # Drop path is on, masks are drawn in the step, and clipping is at work.
    # Every pair of two settings comes up, here or in the other tests.
    @parameterized.parameters(("swin", 2, 1, False, 1), ("swin", 1, 4, True, 2))
    @pytest.mark.slow
    def test_every_way_of_taking_a_step_gives_the_same_numbers(
        self, kind, replicas, accumulation_steps, jit_compile, per_execution
    ):
        result = train(
            kind,
            replicas_lib.two_replicas() if replicas == 2 else None,
            accumulation_steps=accumulation_steps,
            jit_compile=jit_compile,
            steps_per_execution=per_execution,
        )
        self.assert_same(result, plain(kind))
        self.assertGreater(result["gradient_norm"][0], 0.5)  # is clipped

    def test_micro_batches_that_hide_different_numbers_add_up_exactly(self):
        element = {"image": IMAGES, "patch_mask": UNEVEN}
        wanted = train(batch=element, num_steps=1, run_eagerly=True)
        result = train(batch=element, num_steps=1, accumulation_steps=4)
        self.assert_same(result, wanted)

    @pytest.mark.slow
    def test_eager_micro_batches_are_those_of_the_graph(self):
        result = train(run_eagerly=True, accumulation_steps=2)
        self.assert_same(result, plain("vit"))

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
        result = train("vit", strategy, accumulation_steps=2, jit_compile=True)
        self.assert_same(result, plain("vit"))
        variables = len(result["weights"])
        self.assertEqual([n for n in calls if n > 3], [variables + 1])

    def test_a_bad_image_in_one_micro_batch_skips_the_step(self):
        images = IMAGES.copy()
        images[5, 3, 4, 1] = np.nan
        model = create(accumulation_steps=4, run_eagerly=True)
        before = [w.numpy() for w in model.trainable_variables]
        element = {"image": images, "patch_mask": np.ones_like(UNEVEN)}
        logs = model.train_on_batch(element, return_dict=True)
        self.assertEqual(logs["skipped_steps"], 1)
        for a, b in zip(before, model.trainable_variables, strict=True):
            self.assertAllEqual(a, b)

    @pytest.mark.slow
    def test_float16_scales_the_loss_of_micro_batches(self):
        tf.keras.mixed_precision.set_global_policy("mixed_float16")
        self.addCleanup(tf.keras.mixed_precision.set_global_policy, "float32")
        logs = [
            create(**options).train_on_batch(IMAGES, return_dict=True)
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
    def test_evaluation_under_xla_measures_the_same_loss(self):
        losses = [
            create(jit_compile=jit_compile).evaluate(
                tf.data.Dataset.from_tensor_slices(IMAGES).batch(5), verbose=0
            )
            for jit_compile in (False, True)
        ]
        self.assertAllClose(*losses, rtol=0, atol=1e-6)

    @pytest.mark.slow
    def test_a_batch_that_does_not_split_is_refused(self):
        model = create(accumulation_steps=3)
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
            create(**options)

    def test_a_saved_model_is_compiled_as_it_was(self):
        model = create(accumulation_steps=2, jit_compile=True)
        path = os.path.join(self.get_temp_dir(), "model.keras")
        model.save(path)
        copy = tf.keras.models.load_model(path)
        self.assertEqual(copy.accumulation_steps, 2)
        self.assertTrue(copy.uses_xla)
        self.assertEqual(copy.optimizer.get_config()["global_clipnorm"], 0.5)


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

    @parameterized.parameters(("bfloat16", 0.05), ("float16", 0.01))
    def test_a_step_is_near_that_of_float32(self, precision, tolerance):
        self.set_policy(f"mixed_{precision}")
        result = train(run_eagerly=True)
        self.set_policy("float32")
        wanted = plain("vit")
        for what in ("loss", "gradient_norm"):
            self.assertAllClose(result[what], wanted[what], rtol=tolerance)
        for weight in result["weights"]:
            self.assertEqual(weight.dtype, np.float32)


class SavingTest(tf.test.TestCase, parameterized.TestCase):
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

    @parameterized.parameters("SimMIM", "Classifier", "Segmenter", "Detector")
    @pytest.mark.slow
    def test_a_folder_gives_the_outputs_of_a_model_that_was_trained(self, kind):
        data = {
            "SimMIM": {},
            "Classifier": {"label": np.arange(B) % 3},
            "Segmenter": {"segmentation": np.zeros([B, H, W, 1], int)},
            "Detector": {
                "boxes": np.float32([[[1, 2, 9, 9]]] * B),
                "box_classes": np.ones([B, 1], np.int64),
            },
        }[kind]
        options = {"SimMIM": {"mask_patch_size": 8}, "Classifier": {}}
        options = options.get(kind, {"width": 4})
        if kind != "SimMIM":
            options["num_classes"] = 3
        backbone = backbones.ViT((H, W), 8, 6, 1, 3, channels=C)
        model = getattr(models, kind)(backbone, **options)
        model.compile("sgd", run_eagerly=True)
        element = {"image": IMAGES, **data}
        model.fit(replicas_lib.repeated(element, 1), verbose=0)
        folder = os.path.join(self.get_temp_dir(), kind)
        model.save(folder)
        loaded = tf.keras.models.load_model(folder)
        self.assertIsInstance(loaded, getattr(models, kind))
        self.assertAllClose(loaded(IMAGES), model(IMAGES), rtol=0, atol=1e-6)


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

    def test_weights_of_classes_and_images_are_refused_by_their_names(self):
        model = create()
        with self.assertRaisesRegex(ValueError, "`class_weight` must be None"):
            model.fit(IMAGES, IMAGES, class_weight={0: 1.0, 1: 2.0})
        for cls in (models.Segmenter, models.Detector):
            model = cls(create().backbone, num_classes=2, width=4)
            with self.assertRaisesRegex(ValueError, "`sample_weight` must be"):
                model.train_step((IMAGES, IMAGES, tf.ones([B])))


if __name__ == "__main__":
    tf.test.main()

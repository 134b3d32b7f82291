"""Tests for tf_simmim.models.simmim with convolutional backbones."""

import functools

import numpy as np
import pytest
import tensorflow as tf
from absl.testing import parameterized

from tests import slow_cases
from tf_simmim import backbones
from tf_simmim import evaluation
from tf_simmim import masking
from tf_simmim import models
from tf_simmim import optimization
from tf_simmim import training

B, H, W, C = 4, 16, 24, 2
GRID, PATCH = (H // 4, W // 4), 8
EXTRACTORS = ("convnext_tiny", "resnet18")


def create(extractor, learning_rate=4e-4, compiling=None, **options):
    """Returns a compiled SimMIM; the same weights every time."""
    tf.keras.utils.set_random_seed(0)
    backbone = backbones.Convolutional(
        (H, W), extractor, depths=(1, 1), widths=(8, 12), channels=C, **options
    )
    model = models.SimMIM(backbone, mask_patch_size=PATCH, mask_ratio=0.5)
    model.compile(
        optimization.create_optimizer("adamw", model, learning_rate),
        **(compiling or {}),
    )
    return model


def images_like(seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=[B, H, W, C]).astype(np.float32)


def strategy_of(replicas):
    if replicas == 1:
        return tf.distribute.get_strategy()
    return tf.distribute.MirroredStrategy(
        ["/cpu:0", "/cpu:1"],
        cross_device_ops=tf.distribute.ReductionToOneDevice(),
    )


def fit(model, images, steps=1):
    dataset = tf.data.Dataset.from_tensors(images).repeat(steps)
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = (
        tf.data.experimental.AutoShardPolicy.OFF
    )
    return model.fit(dataset.with_options(options), verbose=0).history


@functools.cache
def fitted(extractor, replicas):
    """Returns a model after 3 steps with drop path, and their loss.

    Of one replica, step by step without a graph, as what others must equal.
    """
    with strategy_of(replicas).scope():
        compiling = {"run_eagerly": replicas == 1}
        model = create(extractor, compiling=compiling, drop_path_rate=0.5)
    return model, fit(model, images_like(), 3)["loss"]


def everything(model):
    """Returns weights, moving statistics and slots."""
    variables = [*model.backbone.weights, *model.head.weights]
    variables += model.optimizer.variables
    return [v.numpy() for v in variables if v.dtype.is_floating]


class SimMIMConvolutionalTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.images = images_like()
        self.mask = np.zeros([B, *GRID], np.int32)
        self.mask[:, :2, 2:] = 1

    @parameterized.parameters(
        ("convnext_tiny", "stem_token", True), ("resnet18", "color", False)
    )
    @pytest.mark.slow
    def test_fit_lowers_the_loss(self, extractor, way, jit_compile):
        compiling = {"jit_compile": jit_compile}
        model = create(extractor, 1e-2, compiling, masking=way)
        first = fit(model, self.images)["loss"][0]
        fit(model, self.images, 60)
        self.assertLess(fit(model, self.images)["loss"][0], 0.85 * first)

    def test_reconstruction_does_not_see_hidden_pixels(self):
        model = create("resnet18", masking="stem_token")
        hidden = masking.to_pixel_mask(self.mask, 4).numpy()[..., None] == 1
        changed = np.where(hidden, images_like(1), self.images)
        first = model.reconstruct(self.images, self.mask)
        second = model.reconstruct(changed, self.mask)
        self.assertAllEqual(first["reconstruction"], second["reconstruction"])
        self.assertEqual(first["reconstruction"].shape, [B, H, W, C])
        self.assertEqual(first["features"].shape, [B, 2, 3, 12])

    @parameterized.parameters(*EXTRACTORS)
    @pytest.mark.slow
    def test_two_replicas_train_like_one(self, extractor):
        """With drop path, and batch statistics in ResNet, at work."""
        results = []
        for replicas in (1, 2):
            model, loss = fitted(extractor, replicas)
            results.append([loss, *everything(model)])
        for one, two in zip(*results, strict=True):
            self.assertAllClose(one, two, rtol=0, atol=1e-6)

    @slow_cases.slow_cases(1, 2)
    @parameterized.parameters((1, False), (1, True), (2, False))
    def test_a_skipped_step_leaves_moving_statistics_alone(
        self, replicas, jit_compile
    ):
        with strategy_of(replicas).scope():
            model = create("resnet18", compiling={"jit_compile": jit_compile})
        element = {"image": self.images, "patch_mask": self.mask}
        fit(model, element)
        before = everything(model)
        # NaN in a visible pixel reaches the statistics; in a hidden one it
        # reaches the loss alone, and the statistics would change unseen.
        for row, column in ((3, 4), (3, 12)):
            bad = self.images.copy()
            bad[-1, row, column, 1] = np.nan  # on the last replica alone
            fit(model, {**element, "image": bad})
            for old, new in zip(before, everything(model), strict=True):
                np.testing.assert_array_equal(new, old)
        self.assertEqual(model.skipped_steps.steps(), [2, 3])
        history = fit(model, element)
        self.assertTrue(np.isfinite(history["loss"][0]))
        changed = [
            not np.array_equal(old, new)
            for old, new in zip(before, everything(model), strict=True)
        ]
        self.assertTrue(all(changed))

    def test_norms_and_biases_are_exempt_from_weight_decay(self):
        for extractor, way, names in (
            ("convnext_tiny", "color", {"beta", "bias", "gamma", "mask_color"}),
            ("resnet18", "stem_token", {"beta", "bias", "gamma", "mask_token"}),
        ):
            model = create(extractor, masking=way)
            for grouping in optimization.GROUPINGS:
                exempt = optimization.exempt_from_weight_decay(model, grouping)
                got = {v.name.rsplit("/", 1)[1].split(":")[0] for v in exempt}
                self.assertEqual(got, names)

    @parameterized.product(
        extractor=EXTRACTORS, policy=["mixed_bfloat16", "mixed_float16"]
    )
    def test_mixed_precision_is_that_of_the_backbone(self, extractor, policy):
        backbone = backbones.Convolutional(
            (H, W), extractor, depths=(1,), widths=(8,), dtype=policy
        )
        layers = [x for x in backbone._flatten_layers() if x is not backbone]
        self.assertEqual({x.dtype_policy.name for x in layers}, {policy})
        with tf.GradientTape() as tape:
            y = backbone(tf.ones([2, H, W, 3]), training=True)
            loss = tf.reduce_mean(tf.cast(y, tf.float32) ** 2)
        for gradient in tape.gradient(loss, backbone.trainable_variables):
            if gradient is not None:  # of the colour of hidden pixels
                self.assertAllInRange(gradient, -1e4, 1e4)

    @parameterized.parameters(1, 2)
    @pytest.mark.slow
    def test_a_run_comes_back_with_its_statistics(self, replicas):
        model, _ = fitted("resnet18", replicas)
        run = training.RunDirectory(self.get_temp_dir())
        run.write_model(model)
        checkpoint = tf.train.Checkpoint(model=model, optimizer=model.optimizer)
        training.CheckpointStore(run.checkpoints).save(checkpoint, 2, {})
        copy = training.load_pretrained(run.path)
        self.assertEqual(copy.get_config(), model.get_config())
        names = [w.name for w in model.trainable_variables]
        self.assertLen(set(names), len(names))
        for part in ("backbone", "head"):
            ours, theirs = (getattr(m, part).weights for m in (model, copy))
            for one, other in zip(ours, theirs, strict=True):
                self.assertAllEqual(one.numpy(), other.numpy())

    def test_its_blocks_can_be_judged_by_neighbours(self):
        model = create("resnet18")
        element = {"image": self.images, "label": np.arange(B) % 2}
        dataset = tf.data.Dataset.from_tensors(element)
        scores = evaluation.knn_accuracy_by_block(
            model.backbone, dataset, dataset, num_classes=2, k=1
        )
        self.assertAllEqual(list(scores.values()), [1.0, 1.0])

    @pytest.mark.slow
    def test_presets_train_at_full_size(self):
        images = np.random.default_rng(0).normal(size=[2, 64, 96, 3])
        images = images.astype(np.float32)
        for name in ("convnext_tiny", "resnet50", "resnet50_v2"):
            tf.keras.utils.set_random_seed(0)
            model = models.SimMIM(backbones.create(name, (64, 96)))
            # To trace networks so deep would take longer than the steps.
            model.compile(tf.keras.optimizers.Adam(1e-3), run_eagerly=True)
            losses = [fit(model, images)["loss"][0] for _ in range(4)]
            self.assertLess(losses[-1], losses[0], name)


if __name__ == "__main__":
    tf.test.main()

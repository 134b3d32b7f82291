"""What every model must do, tested alike for all of them.

A test of a model inherits from `ModelContract` (or, for
steps alone, `StepContract`) and `tf.test.TestCase`. Each
way of taking a step is compared with the plain one: whole batch, one replica,
step by step without a graph.
"""

import functools
import os

import numpy as np
import pytest
import tensorflow as tf

from tests.models import replicas as replicas_lib
from tf_simmim import backbones
from tf_simmim import data

B, C = 8, 2


def backbone(kind, size, **options):
    """Returns a small backbone: "vit", "swin" or "convolutional".

    Args:
        kind: str.
        size: (height, width), px.
        **options: of the backbone.
    """
    if kind == "vit":
        return backbones.ViT(
            size,
            patch_size=size[0] // 2,
            # The first block drops nothing.
            depth=2,
            num_heads=3,
            channels=C,
            # Enlarged fourfold, the map has a quarter of the features: of one
            # alone, the norm after it would leave nothing but its sign.
            **{"embed_dim": 12, **options},
        )
    if kind == "swin":
        return backbones.Swin(
            size,
            patch_size=4,
            embed_dim=4,
            depths=(1, 1),
            num_heads=(1, 2),
            window_size=(size[0] // 8 + 1, size[1] // 8 + 1),
            channels=C,
            **options,
        )
    return backbones.Convolutional(
        size, "resnet18", depths=(1, 1), widths=(6, 10), channels=C, **options
    )


def images(size, seed=0):
    """Returns float32 [B, H, W, C]."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=[B, *size, C]).astype(np.float32)


def first_output(outputs):
    """Returns the first tensor of what a model's call returns."""
    return tf.nest.flatten(outputs)[0]


class StepContract:
    """Numbers of a step however it is taken; a subclass sets the attributes.

    Attributes:
        element: dict of arrays [B, ...], of which `image` is float32
            [B, H, W, C]: what the model learns from.
        ways: list of (kind of backbone, replicas, micro-batches, XLA): how
            steps are taken.
        clip_norm: float. Below the norm of the first gradient.
        vit_options: dict. Of a ViT, besides those of `backbone`.
    """

    element: dict
    ways: list
    clip_norm = 0.2
    vit_options = {}

    @classmethod
    def create(cls, kind="vit", **options):
        """Returns a compiled model with drop path, the same weights each time.

        Args:
            kind: of backbone.
            **options: of `compile`.
        """
        tf.keras.utils.set_random_seed(0)
        size = cls.element["image"].shape[1:3]
        options_of_kind = cls.vit_options if kind == "vit" else {}
        model = cls.create_model(
            backbone(kind, size, drop_path_rate=0.5, **options_of_kind)
        )
        model.compile(cls.create_optimizer(model), **options)
        return model

    @classmethod
    def create_optimizer(cls, model):
        """Returns an optimizer that clips at `clip_norm`."""
        # AdamW would make steps of the same size of gradients that are
        # rounding.
        return tf.keras.optimizers.SGD(0.02, global_clipnorm=cls.clip_norm)

    @classmethod
    def create_model(cls, backbone):
        """Returns a model whose weights are all felt, not compiled."""
        raise NotImplementedError

    @classmethod
    def train(cls, kind="vit", strategy=None, **options):
        """Returns numbers of two steps and an evaluation, and after them.

        Returns:
            ({name: number}, weights and the averages that there may be).
        """
        strategy = strategy or tf.distribute.get_strategy()
        with strategy.scope():
            model = cls.create(kind, **options)
        history = model.fit(
            replicas_lib.repeated(cls.element, 2), verbose=0
        ).history
        result = {name: np.array(values) for name, values in history.items()}
        scores = model.evaluate(
            cls.images_to_evaluate(strategy.num_replicas_in_sync),
            verbose=0,
            return_dict=True,
        )
        result |= {f"test_{name}": score for name, score in scores.items()}
        optimizer = model.optimizer
        # Keras wraps it to scale the loss.
        optimizer = getattr(optimizer, "inner_optimizer", optimizer)
        averages = getattr(optimizer, "averages", [])
        weights = [*model.trainable_variables, *averages]
        return result, [w.numpy() for w in weights]

    @classmethod
    def images_to_evaluate(cls, replicas):
        """Returns nine images, for two replicas the last one by itself."""
        rows = {k: np.concatenate([v, v[:1]]) for k, v in cls.element.items()}
        # In one batch else, which XLA compiles once.
        dataset = tf.data.Dataset.from_tensor_slices(rows)
        return dataset.batch(B if replicas == 2 else B + 1)

    @classmethod
    @functools.cache
    def plain(cls, kind):
        """Returns what every other way must give."""
        return cls.train(kind, run_eagerly=True)

    @pytest.mark.slow
    def test_every_way_of_taking_a_step_gives_the_same_numbers(self):
        for kind, replicas, accumulation_steps, jit_compile in self.ways:
            with self.subTest(kind=kind, replicas=replicas, xla=jit_compile):
                numbers = self.train(
                    kind,
                    replicas_lib.two_replicas() if replicas == 2 else None,
                    accumulation_steps=accumulation_steps,
                    jit_compile=jit_compile,
                )
                self.assert_plain(kind, numbers)

    def assert_plain(self, kind, numbers):
        """Compares what `train` returns with the plain way."""
        result, weights = numbers
        wanted, wanted_weights = self.plain(kind)
        self.assertGreater(wanted["gradient_norm"][0], self.clip_norm)
        self.assertEqual(result.keys(), wanted.keys())
        for name, value in wanted.items():
            self.assertAllClose(result[name], value, rtol=2e-6, msg=name)
        for a, b in zip(weights, wanted_weights, strict=True):
            self.assertAllClose(a, b, rtol=0, atol=1e-6)


class ModelContract(StepContract):
    """All that a model must do."""

    @pytest.mark.slow
    def test_in_few_bits_a_step_is_near_that_of_float32(self):
        wanted, wanted_weights = self.plain("vit")
        for precision in ("bfloat16", "float16"):
            policy = f"mixed_{precision}"
            with self.subTest(policy), self.policy(policy):
                result, weights = self.train(run_eagerly=True)
                for name in ("loss", "gradient_norm", "test_loss"):
                    self.assertAllClose(result[name], wanted[name], rtol=0.05)
                for a, b in zip(weights, wanted_weights, strict=True):
                    self.assertEqual(a.dtype, np.float32)
                    self.assertAllClose(a, b, rtol=0, atol=1e-2)

    def policy(self, name):
        """Returns a context with this as Keras' global policy."""

        class Policy:
            def __enter__(self):
                tf.keras.mixed_precision.set_global_policy(name)

            def __exit__(self, *_):
                tf.keras.mixed_precision.set_global_policy("float32")

        return Policy()

    def test_a_share_without_images_changes_nothing_of_an_evaluation(self):
        model = self.create("convolutional")
        specs = {
            name: tf.TensorSpec([None, *value.shape[1:]], value.dtype)
            for name, value in self.element.items()
        }
        step = tf.function(model.test_step, input_signature=[specs])
        want = step(self.element)
        none = step({name: value[:0] for name, value in self.element.items()})
        self.assertAllEqual(list(want.values()), list(none.values()))
        self.assertBetween(float(none["loss"]), 1e-3, 10.0)

    @pytest.mark.slow
    def test_a_bad_image_in_one_micro_batch_skips_the_step(self):
        images = self.element["image"].copy()
        images[5, 3, 4, 1] = np.nan
        model = self.create(accumulation_steps=4, run_eagerly=True)
        before = [w.numpy() for w in model.trainable_variables]
        element = {**self.element, "image": images}
        logs = model.train_on_batch(element, return_dict=True)
        self.assertEqual(logs["skipped_steps"], 1)
        for a, b in zip(before, model.trainable_variables, strict=True):
            self.assertAllEqual(a, b)

    def test_drop_path_follows_its_seed(self):
        model = self.create()
        images = self.element["image"]
        seeds = [tf.constant([1, n], tf.int64) for n in (0, 0, 1)]
        a, b, c = (
            first_output(model(images, training=True, seed=seed))
            for seed in seeds
        )
        self.assertAllEqual(a, b)
        self.assertNotAllClose(a, c)
        self.assertAllEqual(
            first_output(model(images)),
            first_output(model({"image": images})),
        )

    def test_pixels_are_normalised_by_the_model(self):
        model = self.create()
        pixels = np.random.default_rng(2).integers(
            0, 256, self.element["image"].shape, np.uint8
        )
        with self.assertRaisesRegex(ValueError, "`image` must be float"):
            model(pixels)
        normalization = data.Normalization((0.3, 0.4), (0.2, 0.1))
        model.normalize = normalization.normalize
        wanted = model(normalization.normalize(pixels))
        self.assertAllEqual(first_output(model(pixels)), first_output(wanted))

    @pytest.mark.slow
    def test_a_folder_gives_the_outputs_of_a_model_that_was_trained(self):
        model = self.create(run_eagerly=True)
        model.fit(replicas_lib.repeated(self.element, 1), verbose=0)
        folder = os.path.join(self.get_temp_dir(), "model")
        model.save(folder)
        loaded = tf.keras.models.load_model(folder)
        self.assertIsInstance(loaded, type(model))
        images = self.element["image"]
        self.assertAllClose(loaded(images), model(images), rtol=0, atol=1e-6)

    def test_weights_of_classes_and_images_are_refused_by_their_names(self):
        model = self.create()
        images = self.element["image"]
        with self.assertRaisesRegex(ValueError, "`class_weight` must be None"):
            model.fit(images, images, class_weight={0: 1.0, 1: 2.0})
        with self.assertRaisesRegex(ValueError, "`sample_weight` must be"):
            model.train_step((images, images, tf.ones([B])))

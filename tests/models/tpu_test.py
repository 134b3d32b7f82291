"""What a TPU asks of a train step, as far as it can be tested without one.

A TPU runs what XLA compiles ahead of time: no strings, no Python, and no
shape that depends on values. Here the whole step, from images to weights, is
compiled by XLA for the processor.
"""

import re

import numpy as np
import pytest
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim import backbones
from tf_simmim import data
from tf_simmim import models
from tf_simmim import optimization

B, C = 4, 2
# Instructions that talk to the host, or to code outside of XLA.
_HOST = ("infeed", "outfeed", "send", "recv", "custom-call")


def create(kind, depth=2, dtype=None, accumulation_steps=1, **options):
    """Returns a compiled SimMIM; the same weights every time."""
    tf.keras.utils.set_random_seed(0)
    if kind != "swin":
        sees_visible = dict(
            visible_only=True,
            absolute_position="sincos",
            relative_position="none",
        )
        backbone = backbones.ViT(
            (16, 24),
            patch_size=8,
            embed_dim=12,
            depth=depth,
            num_heads=3,
            channels=C,
            drop_path_rate=0.3,
            dtype=dtype,
            **(sees_visible if kind == "visible_only" else {}),
        )
    else:
        backbone = backbones.Swin(
            (16, 24),
            patch_size=4,
            embed_dim=6,
            depths=(2, 1),
            num_heads=(1, 2),
            window_size=(2, 3),
            channels=C,
            drop_path_rate=0.3,
        )
    model = models.SimMIM(
        backbone, mask_patch_size=8, mask_ratio=0.5, dtype=dtype, **options
    )
    model.compile(
        optimization.create_optimizer("adamw", model, 1e-2),
        accumulation_steps=accumulation_steps,
    )
    model.normalize = data.Normalization((0.4, 0.5), (0.2, 0.3)).normalize
    return model


def create_supervised(kind):
    """Returns a compiled model that learns from labels, and its batch."""
    tf.keras.utils.set_random_seed(0)
    backbone = backbones.Swin(
        (32, 48),
        patch_size=4,
        embed_dim=6,
        depths=(1, 1),
        num_heads=(1, 2),
        window_size=(4, 6),
        channels=C,
        drop_path_rate=0.3,
    )
    if kind == "classifier":
        model = models.Classifier(backbone, 5, label_smoothing=0.1)
        labels = {"label": tf.constant([4, 0, 3, 1], tf.int64)}
    elif kind == "segmenter":
        model = models.Segmenter(backbone, 5, width=8)
        labels = {
            "segmentation": tf.constant(
                np.random.default_rng(1).integers(0, 5, [B, 32, 48, 1]),
                tf.uint8,
            )
        }
    else:
        model = models.Detector(backbone, 5, width=8, num_convolutions=1)
        boxes = np.full([B, 3, 4], -1.0, np.float32)
        classes = np.full([B, 3], -1)
        boxes[0, :2] = [[2, 3, 14, 20], [16, 20, 30, 44]]
        classes[0, :2] = [4, 0]
        boxes[2, 0], classes[2, 0] = [8, 8, 24, 40], 2
        labels = {
            "boxes": tf.constant(boxes),
            "box_classes": tf.constant(classes, tf.int64),
        }
    model.compile(optimization.create_optimizer("adamw", model, 1e-2))
    model.normalize = data.Normalization((0.4, 0.5), (0.2, 0.3)).normalize
    return model, {"image": pixels(model), **labels}


def pixels(model):
    rng = np.random.default_rng(0)
    shape = [B, *model.backbone.image_size, C]
    return tf.constant(rng.integers(0, 256, shape, np.uint8))


def hlo_of(function, *arguments):
    """Returns XLA's program for a jitted function."""
    return function.experimental_get_compiler_ir(*arguments)(stage="hlo")


def is_dynamic(hlo):
    """Tells whether a program has a dimension that is only bounded."""
    return re.search(r"\[[^\]]*<=", hlo) is not None


class TPUTest(tf.test.TestCase, parameterized.TestCase):
    def test_the_whole_step_compiles_with_static_shapes_alone(self):
        self.check_step(create("vit", depth=1))

    @parameterized.named_parameters(
        ("swin", {"kind": "swin"}),
        (
            "in_few_bits_and_micro_batches",
            {
                "kind": "vit",
                "dtype": "mixed_bfloat16",
                "accumulation_steps": 2,
                "mask_strategy": "block_wise",
            },
        ),
        (
            "visible_only",
            {
                "kind": "visible_only",
                "head": "decoder",
                "mask_strategy": "free_form",
            },
        ),
    )
    @pytest.mark.slow
    def test_the_whole_step_of_others_compiles_so_too(self, options):
        self.check_step(create(**options))

    @parameterized.parameters("classifier", "segmenter", "detector")
    @pytest.mark.slow
    def test_the_whole_step_with_labels_compiles_so_too(self, kind):
        self.check_step(*create_supervised(kind))

    def check_step(self, model, batch=None):
        step = tf.function(model.train_step, jit_compile=True)
        batch = pixels(model) if batch is None else batch
        hlo = hlo_of(step, batch)
        self.assertFalse(is_dynamic(hlo))
        instructions = set(re.findall(r"= \S+ ([a-z-]+)\(", hlo))
        self.assertIn("dot", instructions)
        self.assertEmpty(instructions.intersection(_HOST))

        before = [v.numpy() for v in model.trainable_variables]
        logs = step(batch)
        self.assertBetween(float(logs["loss"]), 0.1, 10.0)
        same = [
            np.array_equal(a, b)
            for a, b in zip(before, model.trainable_variables, strict=True)
        ]
        self.assertLess(np.mean(same), 0.1)

    def test_a_shape_that_depends_on_values_would_be_noticed(self):
        @tf.function(jit_compile=True)
        def positive(x):
            return tf.reduce_sum(tf.boolean_mask(x, x > 0))

        self.assertTrue(is_dynamic(hlo_of(positive, tf.ones([3, 2]))))

    @pytest.mark.slow
    def test_pixels_are_normalised_in_the_step(self):
        model = create("vit")
        images = pixels(model)
        mask = model.random_mask.of_step(1, 2, B)
        want = model.reconstruct(model.normalize(images), mask)["loss"]
        got = model.test_step({"image": images, "patch_mask": mask})["loss"]
        self.assertAllClose(got, want, rtol=1e-6)

    def test_pixels_without_a_normalisation_are_refused(self):
        model = create("vit")
        model.normalize = None
        with self.assertRaisesRegex(ValueError, "must be float and normalis"):
            model.test_step(pixels(model))


if __name__ == "__main__":
    tf.test.main()

"""Tests for tf_simmim.training.checkpoint_match, with real models."""

import os

import tensorflow as tf

from tf_simmim import backbones
from tf_simmim import models
from tf_simmim.training import checkpoint_match


def make_checkpoint(embed_dim=6, depth=2, build_optimizer=True):
    backbone = backbones.ViT(
        image_size=(16, 24),
        patch_size=8,
        embed_dim=embed_dim,
        depth=depth,
        num_heads=3,
    )
    model = models.SimMIM(backbone, mask_patch_size=8)
    optimizer = tf.keras.optimizers.AdamW()
    if build_optimizer:
        optimizer.build(model.trainable_variables)
    return tf.train.Checkpoint(model=model, optimizer=optimizer)


class CheckpointMatchTest(tf.test.TestCase):
    def setUp(self):
        super().setUp()
        directory = self.get_temp_dir()
        self.path = make_checkpoint().write(os.path.join(directory, "state"))

    def test_same_architecture_matches(self):
        checkpoint_match.require_match(self.path, make_checkpoint())

    def test_a_model_alone_matches_a_checkpoint_with_its_optimizer(self):
        model = make_checkpoint().model
        alone = tf.train.Checkpoint(model=model)
        checkpoint_match.require_match(self.path, alone)
        deeper = tf.train.Checkpoint(model=make_checkpoint(depth=3).model)
        with self.assertRaisesRegex(ValueError, "is only in the model"):
            checkpoint_match.require_match(self.path, deeper)

    def test_metrics_and_optimizer_slots_are_in_the_checkpoint(self):
        names = [name for name, _ in tf.train.list_variables(self.path)]
        for metric in ("loss_metric", "gradient_norm_metric"):
            for part in ("total", "count"):
                self.assertTrue(
                    any(f"model/{metric}/{part}/" in name for name in names)
                )
        # Two slots for each weight of the model.
        num_weights = len(make_checkpoint().model.trainable_variables)
        slots = [name for name in names if "optimizer/_variables/" in name]
        self.assertLen(slots, 2 * num_weights)

    def test_wider_model_is_refused_with_both_shapes(self):
        with self.assertRaisesRegex(
            ValueError,
            r"model/\S+ is \(.*6\) in.*\(.*12\) in.*; and \d+ more",
        ):
            checkpoint_match.require_match(
                self.path, make_checkpoint(embed_dim=12)
            )

    def test_shallower_model_is_refused(self):
        with self.assertRaisesRegex(
            ValueError, r"model/backbone/blocks/1/\S+ \S+ is only in the check"
        ):
            checkpoint_match.require_match(self.path, make_checkpoint(depth=1))

    def test_deeper_model_is_refused(self):
        with self.assertRaisesRegex(ValueError, "is only in the model"):
            checkpoint_match.require_match(self.path, make_checkpoint(depth=3))

    def test_optimizer_that_was_not_built_is_refused(self):
        with self.assertRaisesRegex(
            ValueError, r"build the model and the optimizer.*optimizer/_var"
        ):
            checkpoint_match.require_match(
                self.path, make_checkpoint(build_optimizer=False)
            )


if __name__ == "__main__":
    tf.test.main()

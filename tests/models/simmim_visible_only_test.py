"""Tests of tf_simmim.models.simmim with a backbone of visible patches alone."""

import numpy as np
import pytest
import tensorflow as tf
from absl.testing import parameterized

from tests.models import replicas as replicas_lib
from tf_simmim import backbones
from tf_simmim import masking
from tf_simmim import models
from tf_simmim import optimization
from tf_simmim import randomness

B, H, W, C, P = 4, 16, 24, 2, 4
N, VISIBLE = 24, 12


def create(learning_rate=1e-2, head="decoder", compiling=None, **options):
    """Returns a compiled SimMIM; the same weights every time."""
    tf.keras.utils.set_random_seed(0)
    arguments = dict(
        patch_size=P,
        embed_dim=12,
        depth=2,
        num_heads=3,
        channels=C,
        absolute_position="sincos",
        relative_position="none",
        visible_only=True,
    )
    backbone = backbones.ViT((H, W), **{**arguments, **options})
    model = models.SimMIM(
        backbone, mask_patch_size=2 * P, mask_ratio=0.5, head=head
    )
    model.compile(
        optimization.create_optimizer("adamw", model, learning_rate),
        **(compiling or {}),
    )
    return model


def images_like():
    rng = np.random.default_rng(0)
    return rng.normal(size=[B, H, W, C]).astype(np.float32)


def weights(model):
    return [v.numpy() for v in model.trainable_variables]


def train(replicas, compiling):
    """Returns the loss of two steps with drop path, and the weights."""
    strategy = tf.distribute.get_strategy()
    if replicas == 2:
        strategy = replicas_lib.two_replicas()
    options = {"rematerialize": True, "drop_path_rate": 0.5}
    with strategy.scope():
        model = create(4e-4, compiling=compiling, **options)
    dataset = replicas_lib.repeated(images_like(), 2)
    logs = model.fit(dataset, verbose=0).history
    return [logs["loss"], *weights(model)]


class SimMIMVisibleOnlyTest(tf.test.TestCase, parameterized.TestCase):
    def test_a_share_without_images_changes_nothing_of_an_evaluation(self):
        model = create()
        spec = tf.TensorSpec([None, H, W, C])
        step = tf.function(model.test_step, input_signature=[spec])
        want = step(images_like())["loss"]
        self.assertAllEqual(step(images_like()[:0])["loss"], want)

    def setUp(self):
        super().setUp()
        self.images = images_like()
        random_mask = masking.create("random", (H, W), P, 2 * P, 0.5)
        seed = randomness.seed_for(3, randomness.MASK, 0)
        self.mask = random_mask.sample_batch(seed, B).numpy()
        self.fewer = self.mask.copy()
        self.fewer[1] = 0
        self.more = self.mask.copy()
        self.more[2, :, :3], self.more[2, 0, 3:] = 1, 1
        self.element = {"image": self.images, "patch_mask": self.mask}

    @parameterized.parameters("decoder", "cross_attention")
    @pytest.mark.slow
    def test_learns_a_fixed_batch(self, head):
        smooth = np.sin(np.arange(H * W * C) / 30).reshape(1, H, W, C)
        scale = np.arange(1, B + 1).reshape(B, 1, 1, 1) / B
        self.element["image"] = (smooth * scale).astype(np.float32)
        model = create(head=head, depth=1)
        losses = [model.train_on_batch(self.element)[0] for _ in range(80)]
        self.assertLess(losses[-1], 0.5 * losses[0])

    def test_blocks_of_a_step_see_visible_patches_and_the_class_token(self):
        model = create()
        seen = []

        class Spy(tf.keras.layers.Layer):
            def call(self, tokens, **options):
                seen.append((tokens.shape[1], options["hidden_tokens"]))
                return block(tokens, **options)

        block, model.backbone.blocks[0] = model.backbone.blocks[0], Spy()
        model._step_loss(self.images, self.mask, training=True)
        self.assertEqual(seen, [(VISIBLE + 1, None)])

    @parameterized.parameters("decoder", "cross_attention")
    def test_a_step_has_the_loss_and_gradients_of_whole_images(self, head):
        """In which nobody attends to hidden patches."""
        model = create(head=head, drop_path_rate=0.5)
        for i, weight in enumerate(model.trainable_variables):
            rng = np.random.default_rng(i)
            weight.assign(0.3 * rng.normal(size=weight.shape))
        seed = randomness.seed_for(1, randomness.DROP_PATH, 5)
        results = []
        for loss_of in (model._step_loss, model.full_loss):
            with tf.GradientTape() as tape:
                loss = loss_of(self.images, self.mask, True, seed)
            gradients = tape.gradient(loss, model.trainable_variables)
            vector = np.concatenate([np.ravel(g) for g in gradients])
            results.append((loss, vector / np.linalg.norm(vector)))
        (loss, vector), (want_loss, want) = results
        self.assertAllClose(loss, want_loss, rtol=1e-6)
        self.assertLess(np.linalg.norm(vector - want), 1e-5)

    @pytest.mark.slow
    def test_a_step_refuses_masks_of_another_number(self):
        model = create(depth=1)
        for mask in (self.fewer, self.more):
            for step in (model.train_on_batch, model.test_on_batch):
                with self.assertRaisesRegex(
                    tf.errors.InvalidArgumentError,
                    "`patch_mask` must leave the same number of patches",
                ):
                    step({**self.element, "patch_mask": mask})

    @pytest.mark.slow
    def test_xla_skips_a_step_of_such_masks(self):
        model = create(compiling={"jit_compile": True}, depth=1)
        before = weights(model)
        for skipped, mask in enumerate((self.fewer, self.more), 1):
            logs = model.train_on_batch(
                {**self.element, "patch_mask": mask}, return_dict=True
            )
            self.assertEqual(logs["skipped_steps"], skipped)
            self.assertTrue(np.isnan(logs["loss"]))
        for value, want in zip(weights(model), before, strict=True):
            self.assertAllEqual(value, want)
        logs = model.train_on_batch(self.element, return_dict=True)
        self.assertEqual(logs["skipped_steps"], 2)
        self.assertTrue(np.isfinite(logs["loss"]))

    def test_reconstructs_from_any_mask_without_hidden_pixels(self):
        model = create()
        rng = np.random.default_rng(1)
        for mask in (self.mask, self.fewer, self.more):
            hidden = masking.to_pixel_mask(mask, P).numpy()[..., None] == 1
            noise = rng.normal(size=self.images.shape)
            changed = np.where(hidden, noise, self.images)
            first = model.reconstruct(self.images, mask)["reconstruction"]
            second = model.reconstruct(changed, mask)["reconstruction"]
            self.assertAllEqual(first, second)
            alone = model.reconstruct(self.images[2:3], mask[2:3])
            self.assertAllClose(
                first[2:3], alone["reconstruction"], rtol=1e-5, atol=1e-5
            )

    @parameterized.parameters(
        (2, {}), (1, {"accumulation_steps": 2, "jit_compile": True})
    )
    @pytest.mark.slow
    def test_ways_to_train_give_the_same_weights(self, replicas, compiling):
        want = train(1, {"run_eagerly": True})
        got = train(replicas, compiling)
        for one, other in zip(got, want, strict=True):
            self.assertAllClose(one, other, rtol=0, atol=1e-6)

    @parameterized.parameters("linear", "mlp")
    def test_heads_that_see_one_cell_are_refused(self, head):
        with self.assertRaisesRegex(
            ValueError,
            r"`head` must be.*--head=decoder, --head=cross_attention\)\. "
            f"Received: '{head}'",
        ):
            create(head=head)
        create(head=head, visible_only=False)


if __name__ == "__main__":
    tf.test.main()

"""Tests for a ViT whose blocks see visible patches alone."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tests.backbones import contract
from tf_simmim import randomness
from tf_simmim.backbones import vit as vit_lib

SIZE, C, P, D, DEPTH = (8, 12), 2, 4, 12, 3
GRID, N = (2, 3), 6
B, VISIBLE = contract.B, 4
# The same features are sums of another order of float32 numbers.
TOLERANCE = dict(rtol=1e-5, atol=1e-5)


class VisibleOnlyViTTest(
    contract.BackboneContract,
    contract.BlockContract,
    tf.test.TestCase,
    parameterized.TestCase,
):
    backbone = vit_lib.ViT
    options = dict(
        image_size=SIZE,
        patch_size=P,
        embed_dim=D,
        depth=DEPTH,
        num_heads=3,
        channels=C,
        absolute_position="sincos",
        relative_position="none",
        visible_only=True,
    )
    variants = [
        {"absolute_position": "learned"},
        {"class_token": False, "layer_scale_init": None},
    ]

    def setUp(self):
        super().setUp()
        self.mask = np.array([[[1, 0, 0], [0, 1, 0]], [[1, 0, 1], [0, 0, 0]]])
        self.hidden = self.mask == 1

    def features(self, vit, num_visible=VISIBLE, **options):
        return vit(
            self.images,
            patch_mask=self.mask,
            num_visible=num_visible,
            **options,
        )

    def visible_features(self, vit, sample, training):
        """Features of one sample: the network from its parts."""
        x = vit._embed(self.images[sample : sample + 1], None).numpy()
        visible = np.flatnonzero(self.mask[sample].reshape(-1) == 0)
        places = visible
        if vit.class_token:
            places = np.concatenate([[0], visible + 1])
        x = tf.constant(x[:, places])
        for i, block in enumerate(vit.blocks):
            seed = randomness.fold_in(contract.seed(), i)
            x = block(x, seed=seed, training=training)
        return vit.norm(x)[0, int(vit.class_token) :]

    @parameterized.product(
        num_visible=(VISIBLE, None),
        options=[{}, *variants],
    )
    def test_visible_features_are_those_of_visible_patches_alone(
        self, num_visible, options
    ):
        vit = self.create_random(**options)
        got = self.features(vit, num_visible)
        self.assertEqual(got.shape, [B, *GRID, D])
        for sample in range(B):
            visible = ~self.hidden[sample]
            want = self.visible_features(vit, sample, training=False)
            self.assertAllClose(got[sample][visible], want, **TOLERANCE)
        token = np.broadcast_to(vit.mask_token.mask_token[0], [4, D])
        self.assertAllEqual(got[self.hidden], token)

    def test_drop_path_leaves_out_the_branches_it_would_of_whole_images(self):
        vit = self.create_random(drop_path_rate=0.8)
        options = dict(training=True, seed=contract.seed())
        got = self.features(vit, **options)
        want = self.features(vit, num_visible=None, **options)
        self.assertAllClose(got, want, **TOLERANCE)
        self.assertNotAllClose(got, self.features(vit))
        first = self.visible_features(vit, 0, training=True)
        self.assertAllClose(got[0][~self.hidden[0]], first, **TOLERANCE)

    def test_content_of_hidden_patches_does_not_matter(self):
        # Other than in SimMIM, their features see nothing at all.
        for num_visible in (VISIBLE, None):
            self.assert_hidden_pixels_do_not_matter(num_visible)

    def assert_hidden_pixels_do_not_matter(self, num_visible):
        vit = self.create_random()
        pixels = self.hidden.repeat(P, 1).repeat(P, 2)[..., np.newaxis]
        noise = 10 * self.rng.normal(size=self.images.shape)
        before = self.features(vit, num_visible)
        images, self.images = self.images, self.images + pixels * noise
        self.assertAllEqual(self.features(vit, num_visible), before)
        self.images = images + ~pixels * noise
        difference = np.abs(self.features(vit, num_visible) - before)
        self.assertAllGreater(difference[~self.hidden].max(axis=-1), 1e-3)
        self.assertAllEqual(difference[self.hidden], np.zeros([4, D]))
        self.images = images

    @parameterized.product(
        num_visible=(VISIBLE, None), rematerialize=(False, True)
    )
    def test_gradient_reaches_the_mask_token_and_no_hidden_pixel(
        self, num_visible, rematerialize
    ):
        vit = self.create_random(rematerialize=rematerialize)
        images = tf.constant(self.images)
        weights = tf.constant(self.rng.normal(size=[B, *GRID, D]), tf.float32)

        @tf.function
        def run():
            with tf.GradientTape() as tape:
                tape.watch(images)
                y = vit(
                    images,
                    patch_mask=self.mask,
                    training=True,
                    num_visible=num_visible,
                )
                loss = tf.reduce_sum(y * weights)
            return tape.gradient(loss, [images, vit.mask_token.mask_token])

        of_images, of_token = run()
        want = weights.numpy()[self.hidden].sum(axis=0)
        self.assertAllClose(of_token[0, 0], want, rtol=1e-5, atol=1e-5)
        pixels = self.hidden.repeat(P, 1).repeat(P, 2)
        self.assertAllEqual(of_images[pixels], np.zeros([pixels.sum(), C]))
        self.assertGreater(np.abs(of_images[~pixels]).min(), 0)

    @parameterized.parameters(1, 3, 5, 6)
    def test_masks_with_other_numbers_are_never_taken_for_right(self, m):
        vit = self.create_random()
        with self.assertRaisesRegex(
            tf.errors.InvalidArgumentError, "`patch_mask` must leave the same"
        ):
            self.features(vit, m)
        run = tf.function(lambda: self.features(vit, m), jit_compile=True)
        visible = run()[~self.hidden]
        self.assertAllEqual(visible, np.full(visible.shape, np.nan))

    def test_an_image_without_a_visible_patch_is_all_mask_token(self):
        self.mask = np.ones_like(self.mask)
        for class_token in (True, False):
            vit = self.create_random(class_token=class_token)
            got = self.features(vit, None)
            token = vit.mask_token.mask_token[0, 0]
            self.assertAllEqual(got, np.broadcast_to(token, got.shape))

    def test_all_weights_are_those_of_an_ordinary_vit(self):
        vit = self.create_random()
        ordinary = self.create(visible_only=False)
        ordinary.set_weights(vit.get_weights())
        self.assertAllEqual(vit(self.images), ordinary(self.images))

    @parameterized.parameters(False, True)
    def test_graph_equals_eager(self, jit_compile):
        vit = self.create_random(rematerialize=True)

        @tf.function(jit_compile=jit_compile)
        def run(mask):
            with tf.GradientTape() as tape:
                y = vit(
                    self.images,
                    patch_mask=mask,
                    training=True,
                    num_visible=VISIBLE,
                )
                loss = tf.reduce_sum(y**3)
            return y, tape.gradient(loss, vit.mask_token.mask_token)

        y, gradient = run(tf.constant(self.mask))
        self.assertAllClose(y, self.features(vit), **TOLERANCE)
        token = vit.mask_token.mask_token[0, 0]
        want = 3 * token**2 * self.mask.sum()
        self.assertAllClose(gradient[0, 0], want, **TOLERANCE)

    def test_inner_places_are_those_of_whole_images(self):
        vit = self.create_random()
        self.assertIsNone(vit.up_to_last_block(self.images, self.mask))
        with self.assertRaisesRegex(ValueError, "`patch_mask` must be None"):
            vit.taps(self.images, "features", patch_mask=self.mask)
        found = vit.taps(self.images, "features")
        self.assertAllEqual(found["features"], vit(self.images))

    @parameterized.parameters("shared", "per_block")
    def test_relative_positions_are_refused(self, relative_position):
        with self.assertRaisesRegex(
            ValueError, '`relative_position` must be "none" with `visible_only`'
        ):
            self.create(relative_position=relative_position)


if __name__ == "__main__":
    tf.test.main()

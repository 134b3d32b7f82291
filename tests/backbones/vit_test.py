"""Tests for tf_simmim.backbones.vit."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim import randomness
from tf_simmim.backbones import vit as vit_lib
from tf_simmim.layers import sincos_position_embedding

B, SIZE, C, P, D, DEPTH = 2, (8, 12), 2, 4, 12, 3
GRID, N = (2, 3), 6
POSITIONS = {
    "absolute_position": vit_lib.ABSOLUTE_POSITIONS,
    "relative_position": vit_lib.RELATIVE_POSITIONS,
    "class_token": (True, False),
}


def create(**options):
    config = dict(
        image_size=SIZE,
        patch_size=P,
        embed_dim=D,
        depth=DEPTH,
        num_heads=3,
        channels=C,
    )
    return vit_lib.ViT(**{**config, **options})


def create_random(**options):
    """With weights so large that every part of the network is felt."""
    vit = create(**options)
    rng = np.random.default_rng(0)
    vit.set_weights([0.5 * rng.normal(size=w.shape) for w in vit.weights])
    return vit


def seed(position=0):
    return randomness.seed_for(7, randomness.DROP_PATH, position)


def forward(vit, images, patch_mask, training=False):
    """The network from its parts, up to the last block."""
    x = vit.patch_embedding(images)
    hidden = patch_mask.reshape([B, N, 1]) == 1
    x = tf.where(hidden, vit.mask_token.mask_token, x)
    if vit.absolute_position == "sincos":
        x += sincos_position_embedding.sincos_table(GRID, D)
    if vit.class_token:
        token = tf.repeat(vit.class_token_layer.class_token, B, axis=0)
        x = tf.concat([token, x], axis=1)
    if vit.absolute_position == "learned":
        x += vit.position_embedding.position_embedding
    for i, block in enumerate(vit.blocks):
        bias = None
        if vit.relative_position != "none":
            shared = vit.relative_position == "shared"
            bias = vit.relative_position_biases[0 if shared else i](x)
        block_seed = randomness.fold_in(seed(), i)
        x = block(x, position_bias=bias, seed=block_seed, training=training)
    return x


def feature_map(vit, tokens):
    x = tokens.numpy()[:, 1:] if vit.class_token else tokens.numpy()
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    x = (x - mean) / np.sqrt(variance + vit.epsilon)
    x = x * vit.norm.gamma + vit.norm.beta
    return tf.reshape(x, [B, *GRID, D])


class ViTTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.rng = np.random.default_rng(1)
        self.images = self.rng.normal(size=[B, *SIZE, C]).astype(np.float32)
        self.mask = np.array([[[1, 0, 1], [0, 0, 1]], [[0, 1, 1], [1, 0, 0]]])

    def test_attributes_describe_the_network(self):
        vit = create()
        self.assertEqual(vit.image_size, SIZE)
        self.assertEqual(vit.grid_size, GRID)
        self.assertEqual((vit.patch_size, vit.stride), (P, P))
        self.assertEqual((vit.embed_dim, vit.num_features), (D, D))
        self.assertEqual((vit.depth, vit.num_blocks), (DEPTH, DEPTH))
        self.assertEqual(vit.channels, C)
        self.assertTrue(vit.built)

    @parameterized.product(**POSITIONS)
    def test_equals_its_parts_in_order(self, **options):
        vit = create_random(depth=2, **options)
        tokens = forward(vit, self.images, self.mask)
        got = vit(self.images, patch_mask=self.mask)
        self.assertAllClose(got, feature_map(vit, tokens), rtol=1e-4, atol=1e-4)

    def test_features_lie_where_their_patches_lie(self):
        # Without attention between patches a feature sees its patch only.
        vit = create_random(relative_position="none", class_token=False)
        for block in vit.blocks:
            block.attention_scale.gamma.assign(np.zeros([D]))
        before = vit(self.images)
        images = self.images.copy()
        images[1, 4:8, 8:12] += 1  # the patch (1, 2)
        changed = np.any(vit(images) != before, axis=-1)
        want = np.zeros([B, *GRID], bool)
        want[1, 1, 2] = True
        self.assertAllEqual(changed, want)

    def test_content_of_hidden_patches_does_not_matter(self):
        vit = create_random()
        hidden = np.repeat(np.repeat(self.mask, P, 1), P, 2)[..., None]
        noise = 10 * self.rng.normal(size=self.images.shape)
        before = vit(self.images, patch_mask=self.mask)
        after = vit(self.images + hidden * noise, patch_mask=self.mask)
        self.assertAllEqual(after, before)

        visible = (1 - hidden) * noise
        after = vit(self.images + visible, patch_mask=self.mask)
        # Every feature, those of hidden patches included, sees the rest.
        self.assertAllGreater(np.abs(after - before).max(axis=-1), 1e-3)

    def test_no_mask_is_a_mask_that_hides_nothing(self):
        vit = create_random()
        self.assertAllEqual(
            vit(self.images),
            vit(self.images, patch_mask=np.zeros_like(self.mask)),
        )
        self.assertNotAllClose(
            vit(self.images), vit(self.images, patch_mask=self.mask)
        )

    def test_mask_may_be_boolean(self):
        vit = create_random()
        self.assertAllEqual(
            vit(self.images, patch_mask=self.mask == 1),
            vit(self.images, patch_mask=self.mask),
        )

    def test_batch_size_may_be_unknown(self):
        vit = create_random()
        specs = [
            tf.TensorSpec([None, *SIZE, C]),
            tf.TensorSpec([None, *GRID], tf.int64),
        ]
        function = tf.function(
            lambda images, mask: vit(images, patch_mask=mask),
            input_signature=specs,
        )
        self.assertAllClose(
            function(self.images, self.mask),
            vit(self.images, patch_mask=self.mask),
            rtol=1e-5,
            atol=1e-5,
        )
        shape = function.get_concrete_function().output_shapes
        self.assertEqual(shape.as_list(), [None, *GRID, D])

    @parameterized.parameters(
        {},
        {"absolute_position": "learned", "relative_position": "per_block"},
        {"absolute_position": "sincos", "relative_position": "none"},
        {"class_token": False, "layer_scale_init": None},
    )
    def test_gradient_reaches_every_weight_in_training(self, **options):
        vit = create_random(depth=2, **options)
        with tf.GradientTape() as tape:
            y = vit(self.images, patch_mask=self.mask, training=True)
            loss = tf.reduce_sum(y * self.rng.normal(size=y.shape))
        variables = vit.trainable_variables
        gradients = tape.gradient(loss, variables)
        for variable, grad in zip(variables, gradients, strict=True):
            self.assertIsNotNone(grad, variable.name)
            self.assertGreater(np.abs(grad).max(), 1e-5, variable.name)

    @parameterized.parameters(
        {"image_size": (12, 12)},
        {"patch_size": 2},
        {"embed_dim": 24},
        {"depth": 2},
        {"num_heads": 2},
        {"channels": 3},
        {"mlp_ratio": 2.0},
        {"qkv_bias": "none"},
        {"absolute_position": "learned"},
        {"relative_position": "per_block"},
        {"relative_position": "none"},
        {"layer_scale_init": None},
        {"class_token": False},
    )
    def test_option_changes_the_weights(self, **options):
        default = [w.shape for w in create().weights]
        other = [w.shape for w in create(**options).weights]
        self.assertNotEqual(other, default)

    @parameterized.parameters({"absolute_position": "sincos"}, {"epsilon": 0.1})
    def test_option_without_weights_changes_the_features(self, **options):
        default, other = create_random(), create_random(**options)
        self.assertNotAllClose(default(self.images), other(self.images))

    def test_first_values_are_those_of_the_reference(self):
        vit = create(embed_dim=48, layer_scale_init=0.2)
        for i, block in enumerate(vit.blocks):
            bound = 0.02 / np.sqrt(2 * (i + 1))
            for kernel in (
                block.attention.projection.kernel,
                block.mlp.project.kernel,
            ):
                self.assertBetween(np.abs(kernel).max(), 0.98 * bound, bound)
            for scale in (block.attention_scale, block.mlp_scale):
                self.assertAllClose(scale.gamma, np.full([48], 0.2))
            self.assertBetween(
                np.abs(block.attention.qkv_kernel).max(), 0.0196, 0.02
            )
        table = vit.relative_position_biases[0].table
        self.assertAllEqual(table, np.zeros([18, 3]))

    def test_drop_path_grows_in_a_line_from_the_first_block_to_the_last(self):
        vit = create(drop_path_rate=0.4)
        rates = [block.drop_path for block in vit.blocks]
        self.assertAllClose(rates, [0.0, 0.2, 0.4])
        self.assertEqual(create(drop_path_rate=0.4, depth=1).num_blocks, 1)

    def test_drop_path_in_training_follows_the_seed_block_by_block(self):
        vit = create_random(drop_path_rate=0.8)
        got = vit(self.images, patch_mask=self.mask, training=True, seed=seed())
        tokens = forward(vit, self.images, self.mask, training=True)
        self.assertAllClose(got, feature_map(vit, tokens), rtol=1e-4, atol=1e-4)

        images = self.rng.normal(size=[9, *SIZE, C])
        first = vit(images, training=True, seed=seed())
        self.assertAllEqual(first, vit(images, training=True, seed=seed()))
        other = vit(images, training=True, seed=seed(1))
        self.assertNotAllClose(first, other)

    def test_drop_path_without_a_seed_differs_from_call_to_call(self):
        vit = create_random(drop_path_rate=0.8)
        images = self.rng.normal(size=[9, *SIZE, C])
        first = vit(images, training=True)
        self.assertNotAllClose(first, vit(images, training=True))

    def test_drop_path_is_off_outside_training(self):
        vit, without = create_random(drop_path_rate=0.8), create_random()
        want = without(self.images)
        self.assertAllEqual(vit(self.images, training=False), want)
        self.assertAllEqual(vit(self.images, seed=seed()), want)
        self.assertNotAllClose(vit(self.images, training=True), want)

    def test_pyramid_has_the_one_stride(self):
        vit = create_random(drop_path_rate=0.8)
        pyramid = vit.pyramid(self.images)
        self.assertEqual(list(pyramid), [P])
        self.assertAllEqual(pyramid[P], vit(self.images))

    def test_last_block_features_are_the_features(self):
        vit = create_random()
        (last,) = vit.block_features(self.images, [DEPTH - 1])
        self.assertAllEqual(last, vit(self.images))

    @parameterized.parameters(0, 1)
    def test_earlier_block_features_are_those_of_a_shorter_network(self, block):
        vit = create_random()
        short = create(depth=block + 1)
        parts = ("patch_embedding", "mask_token", "class_token_layer", "norm")
        pairs = [(getattr(short, p), getattr(vit, p)) for p in parts]
        pairs += zip(short.blocks, vit.blocks, strict=False)
        pairs += zip(
            short.relative_position_biases,
            vit.relative_position_biases,
            strict=True,
        )
        for target, source in pairs:
            target.set_weights(source.get_weights())
        (features,) = vit.block_features(self.images, [block])
        self.assertEqual(features.shape, [B, *GRID, D])
        # They come before the final norm, which belongs to the last block.
        normalized = vit.norm(tf.reshape(features, [B, N, D]))
        self.assertAllClose(
            tf.reshape(normalized, [B, *GRID, D]),
            short(self.images),
            rtol=1e-5,
            atol=1e-5,
        )

    def test_block_features_come_in_the_order_that_is_asked_for(self):
        vit = create_random()
        all_blocks = vit.block_features(self.images, range(DEPTH))
        self.assertLen(all_blocks, DEPTH)
        got = vit.block_features(self.images, [2, 0, 2])
        for features, block in zip(got, [2, 0, 2], strict=True):
            self.assertAllEqual(features, all_blocks[block])

    @parameterized.parameters([[DEPTH]], [[-1]], [[0, 7]])
    def test_blocks_that_do_not_exist_are_refused(self, blocks):
        with self.assertRaisesRegex(
            ValueError, r"`blocks` must lie in \[0, 3\)"
        ):
            create().block_features(self.images, blocks)

    @parameterized.product(
        absolute_position=("none", "learned", "sincos"),
        relative_position=("shared", "per_block"),
    )
    def test_every_variable_has_a_layer_id(self, **options):
        vit = create(**options)
        for variable in vit.variables:
            _, part, *_ = variable.name.split("/")
            if part in ("patch_embedding", "mask_token", "class_token") or (
                part == "position_embedding"
            ):
                want = 0
            elif part.startswith("block_"):
                want = int(part.removeprefix("block_")) + 1
            elif options["relative_position"] == "per_block" and (
                part.startswith("relative_position_bias_")
            ):
                want = int(part.removeprefix("relative_position_bias_")) + 1
            else:  # the final norm, a shared relative position bias
                want = DEPTH + 1
            self.assertEqual(vit.layer_id(variable), want, variable.name)

    def test_a_variable_of_another_network_has_no_layer_id(self):
        with self.assertRaisesRegex(
            ValueError, "`variable` must belong to this backbone"
        ):
            create().layer_id(create().variables[0])

    @parameterized.parameters(
        ({"image_size": (9, 12)}, "`image_size` must be a mult.*8x12 or 12x12"),
        ({"image_size": 30}, r"`patch_size` \(4 px\).*28x28 or 32x32"),
        ({"image_size": (8, 12, 3)}, "`image_size` must be a positive int"),
        ({"patch_size": 0}, "`patch_size` must be a positive int"),
        ({"num_heads": 5}, "`num_heads` must be positive and divide"),
        ({"num_heads": 0}, "`num_heads` must be positive and divide"),
        ({"embed_dim": 0}, "`embed_dim` must be positive"),
        ({"depth": 0}, "`depth` and `channels` must be at least 1"),
        ({"channels": 0}, "`depth` and `channels` must be at least 1"),
        ({"mlp_ratio": 0}, "`mlp_ratio` must be positive"),
        ({"qkv_bias": "all"}, "`qkv_bias` must be one of"),
        ({"absolute_position": "2d"}, "`absolute_position` must be one of"),
        ({"relative_position": "yes"}, "`relative_position` must be one of"),
        ({"drop_path_rate": 1.0}, r"`drop_path_rate` must lie in \[0, 1\)"),
        (
            {"absolute_position": "sincos", "embed_dim": 18},
            "`embed_dim` must be a multiple of 4",
        ),
    )
    def test_impossible_options_are_refused(self, options, message):
        with self.assertRaisesRegex(ValueError, message):
            create(**options)

    @parameterized.parameters(
        [[B, 12, 8, C]], [[B, 8, 12, C + 1]], [[B, 16, 24, C]], [[B, 8, 12]]
    )
    def test_images_of_another_size_are_refused(self, shape):
        with self.assertRaisesRegex(
            ValueError, r"`images` must be \[batch, 8, 12, 2\].*Received shape"
        ):
            create()(tf.zeros(shape))

    @parameterized.parameters([[B, 3, 2]], [[B, N]], [[B, 8, 12]])
    def test_masks_of_another_grid_are_refused(self, shape):
        with self.assertRaisesRegex(
            ValueError, r"`patch_mask` must be \[batch, 2, 3\].*Received shape"
        ):
            create()(self.images, patch_mask=tf.zeros(shape, tf.int32))


if __name__ == "__main__":
    tf.test.main()

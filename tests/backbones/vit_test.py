"""Tests for tf_simmim.backbones.vit.

What holds for every backbone is in `contract.py`.
"""

import os

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tests.backbones import contract
from tf_simmim import randomness
from tf_simmim.backbones import vit as vit_lib
from tf_simmim.layers import sincos_position_embedding
from tf_simmim.layers import token_merging

B, SIZE, C, P, D, DEPTH = 2, (8, 12), 2, 4, 12, 3
GRID, N = (2, 3), 6
POSITIONS = {
    "absolute_position": vit_lib.ABSOLUTE_POSITIONS,
    "relative_position": vit_lib.RELATIVE_POSITIONS,
    "class_token": (True, False),
}


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
        block_seed = randomness.fold_in(contract.seed(), i)
        x = block(x, position_bias=bias, seed=block_seed, training=training)
    return x


def feature_map(vit, tokens):
    x = tokens.numpy()[:, 1:] if vit.class_token else tokens.numpy()
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    x = (x - mean) / np.sqrt(variance + vit.epsilon)
    x = x * vit.norm.gamma + vit.norm.beta
    return tf.reshape(x, [B, *GRID, D])


class ViTTest(
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
    )
    variants = [
        {"absolute_position": "learned", "relative_position": "per_block"},
        {"absolute_position": "sincos", "relative_position": "none"},
        {"class_token": False, "layer_scale_init": None},
        {
            "num_heads": (3, 1, 2),
            "key_dims": (2, 5, 3),
            "value_dims": 4,
            "mlp_dims": (7, 11, 5),
            "relative_position": "per_block",
            "register_tokens": 2,
        },
        {
            "reduce_tokens": (2, 1, 0),
            "register_tokens": 2,
            "absolute_position": "sincos",
            "relative_position": "none",
        },
    ]

    def test_attributes_describe_the_network(self):
        vit = self.create()
        self.assertEqual(vit.image_size, SIZE)
        self.assertEqual(vit.grid_size, GRID)
        self.assertEqual((vit.patch_size, vit.stride), (P, P))
        self.assertEqual((vit.embed_dim, vit.num_features), (D, D))
        self.assertEqual((vit.depth, vit.num_blocks), (DEPTH, DEPTH))
        self.assertEqual(vit.channels, C)
        self.assertTrue(vit.built)

    @parameterized.product(**POSITIONS)
    def test_equals_its_parts_in_order(self, **options):
        vit = self.create_random(depth=2, **options)
        tokens = forward(vit, self.images, self.mask)
        got = vit(self.images, patch_mask=self.mask)
        self.assertAllClose(got, feature_map(vit, tokens), rtol=1e-4, atol=1e-4)

    def test_features_lie_where_their_patches_lie(self):
        # Without attention between patches a feature sees its patch only.
        vit = self.create_random(relative_position="none", class_token=False)
        for block in vit.blocks:
            block.attention_scale.gamma.assign(np.zeros([D]))
        before = vit(self.images)
        images = self.images.copy()
        images[1, 4:8, 8:12] += 1  # the patch (1, 2)
        changed = np.any(vit(images) != before, axis=-1)
        want = np.zeros([B, *GRID], bool)
        want[1, 1, 2] = True
        self.assertAllEqual(changed, want)

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
        default = [w.shape for w in self.create().weights]
        other = [w.shape for w in self.create(**options).weights]
        self.assertNotEqual(other, default)

    @parameterized.parameters({"absolute_position": "sincos"}, {"epsilon": 0.1})
    def test_option_without_weights_changes_the_features(self, **options):
        default, other = self.create_random(), self.create_random(**options)
        self.assertNotAllClose(default(self.images), other(self.images))

    def test_blocks_have_their_own_widths(self):
        vit = self.create(
            num_heads=[4, 2, 6],
            key_dims=[3, None, 5],
            value_dims=2,
            mlp_dims=[7, 9, None],
            relative_position="per_block",
        )
        shapes = [block.attention.qkv_kernel.shape for block in vit.blocks]
        # 4 (3 + 3 + 2), 2 (6 + 6 + 2), 6 (5 + 5 + 2).
        self.assertEqual(shapes, [[D, 32], [D, 28], [D, 72]])
        hidden = [block.mlp.expand.units for block in vit.blocks]
        self.assertEqual(hidden, [7, 9, 4 * D])
        heads = [b.table.shape[1] for b in vit.relative_position_biases]
        self.assertEqual(heads, [4, 2, 6])
        config = vit.get_config()
        self.assertEqual(config["mlp_dims"], (7, 9, None))
        self.assertEqual(config["value_dims"], 2)

    def test_pairs_with_a_register_have_no_position(self):
        vit = self.create_random(register_tokens=2)
        bias = vit.relative_position_biases[0]
        got = bias(tf.zeros([B, N + 3, D])).numpy()
        registers = [1, 2]
        self.assertAllEqual(got[:, registers], np.zeros([3, 2, N + 3]))
        self.assertAllEqual(got[:, :, registers], np.zeros([3, N + 3, 2]))
        without = self.create_random().relative_position_biases[0]
        without.set_weights(bias.get_weights())
        want = without(tf.zeros([B, N + 1, D]))
        rest = np.delete(np.delete(got, registers, 1), registers, 2)
        self.assertAllEqual(rest, want)

    def test_features_read_registers_and_leave_them_out(self):
        vit = self.create_random(register_tokens=2)
        layer = vit.register_tokens_layer
        before = vit(self.images)
        self.assertEqual(before.shape, [B, *GRID, D])
        self.assertEqual(vit.layer_id(layer.register_tokens), 0)
        self.assertIn("register_tokens", vit.reference_no_weight_decay)
        layer.register_tokens.assign(-layer.register_tokens)
        self.assertNotAllClose(vit(self.images), before)
        tokens = vit.taps(self.images, "block_0/output")["block_0/output"]
        self.assertEqual(tokens.shape, [B, N + 3, D])

    def test_merged_cells_show_the_same_and_others_do_not(self):
        options = dict(relative_position="none", absolute_position="learned")
        vit = self.create_random(reduce_tokens=(2, 1, 0), **options)
        place = "block_2/output"
        tokens = vit.taps(self.images, place)[place]
        self.assertEqual(tokens.shape, [B, N + 1 - 3, D])
        for features in vit(self.images).numpy().reshape([B, N, D]):
            self.assertLen(np.unique(features.round(4), axis=0), N - 3)
        first, *_ = vit.block_features(self.images, range(3))
        self.assertEqual(first.shape, [B, *GRID, D])
        # Before anything is merged, it is the same network.
        whole = self.create_random(**options)
        words = ["block_0/queries", "block_0/mlp_hidden"]
        want = whole.taps(self.images, words)
        for word, value in vit.taps(self.images, words).items():
            self.assertAllClose(value, want[word], 1e-5, 1e-5)

    def test_one_number_merges_behind_every_block_but_the_last(self):
        options = dict(relative_position="none", absolute_position="learned")
        vit = self.create_random(reduce_tokens=1, **options)
        want = self.create_random(reduce_tokens=(1, 1, 0), **options)
        self.assertAllEqual(vit(self.images), want(self.images))

    def test_features_of_merged_tokens_are_a_model_that_can_be_saved(self):
        options = dict(relative_position="none", absolute_position="learned")
        vit = self.create_random(reduce_tokens=(2, 1, 0), **options)
        inputs = tf.keras.Input(self.images.shape[1:])
        model = tf.keras.Model(inputs, vit.block_features(inputs, [0, 2]))
        path = os.path.join(self.get_temp_dir(), "features.keras")
        model.save(path)
        loaded = tf.keras.models.load_model(path)
        self.assertAllClose(loaded(self.images), model(self.images))

    def test_tokens_are_merged_by_their_mean_key(self):
        options = dict(relative_position="none", absolute_position="learned")
        vit = self.create_random(reduce_tokens=(2, 0, 0), **options)
        whole = self.create_random(**options)
        found = whole.taps(self.images, ["block_0/output", "block_0/keys"])
        tokens, keys = found.values()
        want = token_merging.merge(
            token_merging.Tokens(tokens), tf.reduce_mean(keys, 1), 2, 1
        )
        got = vit.taps(self.images, ["block_0/output", "block_1/output"])
        self.assertAllClose(got["block_0/output"], want.tokens, 1e-5, 1e-5)
        # Attention behind it counts tokens by what they stand for.
        after = vit.blocks[1](want.tokens, token_sizes=want.sizes)
        self.assertAllClose(got["block_1/output"], after, 1e-5, 1e-5)

    def test_first_values_are_those_of_the_reference(self):
        vit = self.create(embed_dim=48, layer_scale_init=0.2)
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

    def test_drop_path_in_training_follows_the_seed_block_by_block(self):
        vit = self.create_random(drop_path_rate=0.8)
        got = vit(
            self.images,
            patch_mask=self.mask,
            training=True,
            seed=contract.seed(),
        )
        tokens = forward(vit, self.images, self.mask, training=True)
        self.assertAllClose(got, feature_map(vit, tokens), rtol=1e-4, atol=1e-4)

    @parameterized.parameters(0, 1)
    def test_earlier_block_features_are_those_of_a_shorter_network(self, block):
        vit = self.create_random()
        short = self.create(depth=block + 1)
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

    @parameterized.product(
        absolute_position=("none", "learned", "sincos"),
        relative_position=("shared", "per_block"),
    )
    def test_every_variable_has_a_layer_id(self, **options):
        vit = self.create(**options)
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

    def test_without_a_final_norm_features_are_those_of_the_last_block(self):
        vit = self.create(final_norm=False)
        whole = self.create()
        source = {v.name.partition("/")[2]: v for v in whole.weights}
        for variable in vit.weights:
            variable.assign(source.pop(variable.name.partition("/")[2]))
        self.assertEqual(set(source), {"norm/gamma:0", "norm/beta:0"})
        features, want = vit(self.images), whole(self.images)
        tokens = tf.reshape(features, [B, -1, features.shape[-1]])
        got = tf.reshape(whole.norm(tokens), features.shape)
        self.assertAllClose(got, want, atol=1e-5)
        self.assertNotAllClose(features, want)
        (last,) = vit.block_features(self.images, [DEPTH - 1])
        self.assertAllClose(last, features, atol=1e-5)

    @parameterized.parameters(
        ({"image_size": (9, 12)}, "`image_size` must be a mult.*8x12 or 12x12"),
        ({"image_size": 30}, r"`patch_size` \(4 px\).*28x28 or 32x32"),
        ({"image_size": (8, 12, 3)}, "`image_size` must be a positive int"),
        ({"patch_size": 0}, "`patch_size` must be a positive int"),
        ({"num_heads": 5}, "`num_heads` must be positive and divide"),
        ({"num_heads": 0}, "`num_heads` must be positive and divide"),
        ({"num_heads": True}, "`num_heads` must be positive.*heads=True"),
        ({"register_tokens": True}, "`register_tokens` must be 0 or a.*True"),
        ({"mlp_dims": (True, 2, 3)}, "`mlp_dims` must be at least 1.*True"),
        ({"mlp_dims": np.array([2, 3, 4])}, "`mlp_dims` must be a plain num"),
        ({"embed_dim": 0}, "`embed_dim` must be at least 1"),
        ({"depth": 0}, "`depth` and `channels` must be at least 1"),
        ({"channels": 0}, "`depth` and `channels` must be at least 1"),
        ({"mlp_ratio": 0}, "`mlp_ratio` must be positive"),
        ({"qkv_bias": "all"}, "`qkv_bias` must be one of"),
        ({"absolute_position": "2d"}, "`absolute_position` must be one of"),
        ({"relative_position": "yes"}, "`relative_position` must be one of"),
        ({"drop_path_rate": 1.0}, r"`drop_path_rate` must lie in \[0, 1\)"),
        (
            {"num_heads": (3, 1, 3)},
            '`num_heads` must be the same for all.*"per',
        ),
        ({"mlp_dims": (4, 5)}, "`mlp_dims` must be one value.* each of the 3"),
        ({"attention": "soft"}, "`attention` must be one of .'softmax'"),
        ({"register_tokens": -1}, "`register_tokens` must be 0 or a positive"),
        ({"reduce_tokens": 1}, "`reduce_tokens` needs relative_position="),
        (
            {"reduce_tokens": 4, "relative_position": "none"},
            "`reduce_tokens` must merge at most half",
        ),
        (
            {
                "reduce_tokens": 1,
                "relative_position": "none",
                "visible_only": True,
            },
            "`reduce_tokens` needs.*not `visible_only`",
        ),
        (
            {"absolute_position": "sincos", "embed_dim": 18},
            "`embed_dim` must be a multiple of 4",
        ),
    )
    def test_impossible_options_are_refused(self, options, message):
        with self.assertRaisesRegex(ValueError, message):
            self.create(**options)

    def test_a_keras_file_of_a_model_on_it_keeps_what_is_frozen(self):
        """As with `tf.keras.applications`."""
        vit = self.create(depth=1)
        images = tf.keras.Input([*SIZE, C])
        head = tf.keras.layers.Dense(3, kernel_initializer="ones")
        model = tf.keras.Model(images, head(vit(images)))
        file = os.path.join(self.get_temp_dir(), "model.keras")
        vit.blocks[0].mlp.trainable = False
        model.save(file)
        loaded = tf.keras.models.load_model(file)
        num_trainable = len(model.weights) - 4
        self.assertLen(model.trainable_weights, num_trainable)
        self.assertLen(loaded.trainable_weights, num_trainable)
        vit.trainable = False
        model.save(file)
        loaded = tf.keras.models.load_model(file)
        self.assertLen(loaded.trainable_weights, 2)
        x = np.ones([B, *SIZE, C])
        self.assertAllEqual(loaded(x), model(x))


if __name__ == "__main__":
    tf.test.main()

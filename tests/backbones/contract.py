"""What every backbone must do, tested alike for all of them.

A test of a backbone inherits from `BackboneContract` and `tf.test.TestCase`;
one of a transformer from `BlockContract` as well.
"""

import functools
import unittest.mock

import numpy as np
import pytest
import tensorflow as tf

from tf_simmim import randomness

B = 2


def seed(position=0):
    return randomness.seed_for(7, randomness.DROP_PATH, position)


class BackboneContract:
    """The tests; a subclass says what it tests in the attributes below.

    Attributes:
        backbone: class of the backbone.
        options: dict. Arguments of a small one with three blocks, patches of
            4 px in a grid of two sides, and a last map that all patches reach.
        variants: list of dicts of other arguments, for tests of all kinds.
    """

    backbone: type
    options: dict
    variants: list

    def setUp(self):
        super().setUp()
        self.rng = np.random.default_rng(1)
        self.size, self.channels, self.patch = (
            self.options[name]
            for name in ("image_size", "channels", "patch_size")
        )
        self.grid = tuple(side // self.patch for side in self.size)
        self.images = self._images(B)
        self.mask = self.rng.integers(0, 2, [B, *self.grid])
        self.mask[:, 0, 0], self.mask[:, -1, -1] = 1, 0

    def _images(self, batch):
        shape = [batch, *self.size, self.channels]
        return self.rng.normal(size=shape).astype(np.float32)

    def create(self, **options):
        return self.backbone(**{**self.options, **options})

    def create_random(self, **options):
        """With weights so large that every part of the network is felt."""
        backbone = self.create(**options)
        rng = np.random.default_rng(0)
        values = [0.5 * rng.normal(size=w.shape) for w in backbone.weights]
        for i, weight in enumerate(backbone.weights):
            if "variance" in weight.name:
                values[i] = 0.1 + np.abs(values[i])
        backbone.set_weights(values)
        return backbone

    def test_content_of_hidden_patches_does_not_matter(self):
        backbone = self.create_random()
        hidden = self.mask.repeat(self.patch, 1).repeat(self.patch, 2)
        hidden = hidden[..., np.newaxis]
        noise = 10 * self.rng.normal(size=self.images.shape)
        before = backbone(self.images, patch_mask=self.mask)
        after = backbone(self.images + hidden * noise, patch_mask=self.mask)
        self.assertAllEqual(after, before)

        visible = (1 - hidden) * noise
        after = backbone(self.images + visible, patch_mask=self.mask)
        # Every feature, those of hidden patches included, sees the rest.
        self.assertAllGreater(np.abs(after - before).max(axis=-1), 1e-3)

    def test_what_is_frozen_stays_so_where_it_is_serialized(self):
        backbone = self.create()
        block = next(x for x in backbone.layers if "block" in x.name)
        next(block._flatten_layers(include_self=False)).trainable = False
        backbone.norm.trainable = False

        def names(backbone):  # without its own, which Keras counts up
            variables = backbone.trainable_variables
            return [v.name.partition("/")[2] for v in variables]

        self.assertLess(len(names(backbone)), len(backbone.variables))
        serialized = tf.keras.saving.serialize_keras_object(backbone)
        copy = tf.keras.saving.deserialize_keras_object(serialized)
        self.assertEqual(names(copy), names(backbone))

    def test_pixels_are_refused_wherever_they_come_in(self):
        backbone = self.create()
        pixels = np.zeros(self.images.shape, np.uint8)
        for run in (
            backbone,
            backbone.pyramid,
            lambda images: backbone.block_features(images, [0]),
        ):
            with self.assertRaisesRegex(
                ValueError, "float and normalised.*Received dtype: uint8"
            ):
                run(pixels)

    def test_features_from_inside_are_had_by_their_function(self):
        backbone = self.create()
        block = next(x for x in backbone.layers if "block" in x.name)
        for layer in (backbone, block):
            for name in ("input", "output"):
                with self.assertRaisesRegex(
                    AttributeError, rf"no `{name}`.*block_features\(images"
                ):
                    getattr(layer, name)
        images = tf.keras.Input([*self.size, self.channels])
        model = tf.keras.Model(images, backbone.block_features(images, [1]))
        self.assertAllEqual(
            model(self.images), backbone.block_features(self.images, [1])[0]
        )
        # Where there are such tensors, they are Keras' own.
        features = backbone(images)
        self.assertIs(backbone.output, features)

    def test_no_mask_is_a_mask_that_hides_nothing(self):
        backbone = self.create_random()
        without = backbone(self.images)
        nothing = backbone(self.images, patch_mask=np.zeros_like(self.mask))
        self.assertAllEqual(without, nothing)
        masked = backbone(self.images, patch_mask=self.mask)
        self.assertNotAllClose(without, masked)

    def test_mask_may_be_boolean(self):
        backbone = self.create_random()
        self.assertAllEqual(
            backbone(self.images, patch_mask=self.mask == 1),
            backbone(self.images, patch_mask=self.mask),
        )

    def test_batch_size_may_be_unknown(self):
        backbone = self.create_random()
        specs = [
            tf.TensorSpec([None, *self.size, self.channels]),
            tf.TensorSpec([None, *self.grid], tf.int64),
        ]
        function = tf.function(
            lambda images, mask: backbone(images, patch_mask=mask),
            input_signature=specs,
        )
        want = backbone(self.images, patch_mask=self.mask)
        got = function(self.images, self.mask)
        self.assertAllClose(got, want, rtol=1e-5, atol=1e-5)
        shape = function.get_concrete_function().output_shapes
        self.assertEqual(shape.as_list(), [None, *want.shape[1:]])

    def test_features_have_the_promised_shape(self):
        backbone = self.create()
        sides = [side // backbone.stride for side in self.size]
        features = backbone(self.images)
        self.assertEqual(features.shape, [B, *sides, backbone.num_features])

    def test_gradient_reaches_every_weight_in_training(self):
        for options in [{}, *self.variants]:
            backbone = self.create_random(**options)
            with tf.GradientTape() as tape:
                y = backbone(self.images, patch_mask=self.mask, training=True)
                loss = tf.reduce_sum(y * self.rng.normal(size=y.shape))
            variables = backbone.trainable_variables
            gradients = tape.gradient(loss, variables)
            for variable, grad in zip(variables, gradients, strict=True):
                message = f"{options}: {variable.name}"
                self.assertIsNotNone(grad, message)
                self.assertGreater(np.abs(grad).max(), 1e-5, message)

    def test_drop_path_grows_in_a_line_from_the_first_block_to_the_last(self):
        backbone = self.create(drop_path_rate=0.4)
        blocks = [
            layer
            for layer in backbone._flatten_layers()
            if hasattr(layer, "drop_path")
        ]
        rates = [block.drop_path for block in blocks]
        self.assertAllClose(rates, [0.0, 0.2, 0.4])

    def test_drop_path_in_training_follows_the_seed(self):
        backbone = self.create_random(drop_path_rate=0.8)
        images = self._images(9)
        first = backbone(images, training=True, seed=seed())
        again = backbone(images, training=True, seed=seed())
        self.assertAllEqual(first, again)
        other = backbone(images, training=True, seed=seed(1))
        self.assertNotAllClose(first, other)

    def test_drop_path_without_a_seed_differs_from_call_to_call(self):
        backbone = self.create_random(drop_path_rate=0.8)
        images = self._images(9)
        first = backbone(images, training=True)
        self.assertNotAllClose(first, backbone(images, training=True))

    def test_drop_path_is_off_outside_training(self):
        backbone = self.create_random(drop_path_rate=0.8)
        images = self._images(9)
        want = self.create_random()(images)
        self.assertAllEqual(backbone(images, training=False), want)
        self.assertAllEqual(backbone(images, seed=seed()), want)
        self.assertNotAllClose(backbone(images, training=True), want)

    def test_the_coarsest_map_of_the_pyramid_is_the_features(self):
        backbone = self.create_random(drop_path_rate=0.8)
        pyramid = backbone.pyramid(self.images)
        self.assertEqual(list(pyramid), sorted(pyramid))
        self.assertEqual(max(pyramid), backbone.stride)
        self.assertAllEqual(pyramid[backbone.stride], backbone(self.images))
        for stride, feature_map in pyramid.items():
            sides = [side // stride for side in self.size]
            self.assertEqual(feature_map.shape[:3], [B, *sides])

    def test_last_block_features_are_the_features(self):
        backbone = self.create_random()
        (last,) = backbone.block_features(self.images, [2])
        self.assertAllEqual(last, backbone(self.images))

    def test_block_features_come_in_the_order_that_is_asked_for(self):
        backbone = self.create_random()
        self.assertEqual(backbone.num_blocks, 3)
        all_blocks = backbone.block_features(self.images, range(3))
        self.assertLen(all_blocks, 3)
        got = backbone.block_features(self.images, [2, 0, 2])
        for features, block in zip(got, [2, 0, 2], strict=True):
            self.assertAllEqual(features, all_blocks[block])

    def test_taps_of_a_keras_input_are_had_as_a_model(self):
        backbone = self.create_random()
        places = ["block_0/output", "features"]
        places += [f"block_1/{word}" for word in backbone.block_taps]
        images = tf.keras.Input([*self.size, self.channels])
        model = tf.keras.Model(images, backbone.taps(images, places))
        want = backbone.taps(self.images, places)
        self.assertAllEqual(want["features"], backbone(self.images))
        for place, value in model(self.images).items():
            self.assertAllClose(value, want[place], 1e-5, 1e-5, msg=place)

    def test_places_that_do_not_exist_are_refused(self):
        backbone = self.create()
        known = '"features", or one from "block_0/" to "block_2/".*output'
        for place in ("block_3/output", "block_0", "block_00/output", 3):
            with self.assertRaisesRegex(ValueError, known):
                backbone.taps(self.images, ["features", place])

    def test_blocks_that_do_not_exist_are_refused(self):
        backbone = self.create()
        for blocks in ([3], [-1], [0, 7]):
            with self.assertRaisesRegex(
                ValueError, r"`blocks` must lie in \[0, 3\)"
            ):
                backbone.block_features(self.images, blocks)

    def test_a_variable_of_another_network_has_no_layer_id(self):
        with self.assertRaisesRegex(
            ValueError, "`variable` must belong to this backbone"
        ):
            self.create().layer_id(self.create().variables[0])

    def test_images_of_another_size_are_refused(self):
        backbone, (height, width) = self.create(), self.size
        for shape in (
            [B, width, height, self.channels],
            [B, height, width, self.channels + 1],
            [B, 2 * height, 2 * width, self.channels],
            [B, height, width],
        ):
            with self.assertRaisesRegex(
                ValueError,
                rf"`images` must be \[batch, {height}, {width}, "
                rf"{self.channels}\].*Received shape",
            ):
                backbone(tf.zeros(shape))

    def test_masks_of_another_grid_are_refused(self):
        backbone, (h, w) = self.create(), self.grid
        for shape in ([B, w, h], [B, h * w], [B, *self.size]):
            with self.assertRaisesRegex(
                ValueError,
                rf"`patch_mask` must be \[batch, {h}, {w}\].*Received shape",
            ):
                backbone(self.images, patch_mask=tf.zeros(shape, tf.int32))


class BlockContract:
    """More tests, of backbones made of blocks that can be run one by one.

    For a test that inherits from `BackboneContract` too.
    """

    def test_last_block_at_chosen_cells_equals_the_features_there(self):
        cells = np.array([[3, 0, 5, 1], [2, 4, 5, 0]], np.int32)
        options = {"training": True, "seed": seed()}
        for variant in [{}, *self.variants]:
            backbone = self.create_random(drop_path_rate=0.8, **variant)
            last_block = backbone.up_to_last_block(
                self.images, self.mask, **options
            )
            if last_block is None:  # it needs all cells
                continue
            want = backbone(self.images, patch_mask=self.mask, **options)
            self.assertAllClose(last_block(), want, 1e-5, 1e-5)
            flat = tf.reshape(want, [B, -1, backbone.num_features])
            want = tf.gather(flat, cells, batch_dims=1)
            self.assertAllClose(last_block(cells), want, 1e-5, 1e-5)

    def test_taps_are_the_same_under_xla_and_change_nothing(self):
        backbone = self.create_random(drop_path_rate=0.5)
        places = ["block_2/output", "features", "block_0/output"]
        places += [f"block_1/{word}" for word in backbone.block_taps]
        options = dict(patch_mask=self.mask, training=True, seed=seed())
        if getattr(backbone, "visible_only", False):
            del options["patch_mask"]
        want = backbone.taps(self.images, places, **options)
        self.assertEqual(list(want), places)
        features = backbone(self.images, **options)
        self.assertAllEqual(want["features"], features)
        run = tf.function(
            lambda images: backbone.taps(images, places, **options),
            jit_compile=True,
        )
        for place, value in run(self.images).items():
            self.assertAllClose(value, want[place], 1e-3, 1e-3, msg=place)

    def test_blocks_behind_the_last_place_are_not_run(self):
        backbone = self.create()
        blocks = [
            layer
            for layer in backbone._flatten_layers()
            if hasattr(layer, "drop_path")
        ]
        with unittest.mock.patch.object(blocks[1], "call") as called:
            backbone.taps(self.images, "block_0/output")
        called.assert_not_called()

    def test_inner_places_have_the_shapes_of_their_widths(self):
        backbone = self.create_random()
        places = [f"block_1/{word}" for word in backbone.block_taps]
        found = backbone.taps(self.images, places)
        q, k, v, attention, heads, hidden = found.values()
        self.assertAllClose(tf.reduce_sum(attention, -1), tf.ones(q.shape[:3]))
        self.assertAllClose(tf.matmul(attention, v), heads, 1e-4, 1e-4)
        self.assertEqual(k.shape, q.shape)
        self.assertGreater(hidden.shape[-1], q.shape[-1])

    @pytest.mark.slow
    def test_rematerializing_changes_no_number(self):
        for variant in ({}, self.variants[0]):
            results = []
            for rematerialize in (False, True):
                backbone = self.create_random(
                    drop_path_rate=0.8, rematerialize=rematerialize, **variant
                )
                run = functools.partial(self._features_and_gradients, backbone)
                results.append(tf.function(run)() if rematerialize else run())
            for kept, again in zip(*results, strict=True):
                self.assertAllClose(again, kept, rtol=1e-6, atol=1e-6)

    def _features_and_gradients(self, backbone):
        with tf.GradientTape() as tape:
            y = backbone(
                self.images,
                patch_mask=self.mask,
                training=True,
                seed=seed(),
            )
            loss = tf.reduce_mean(y**2)
        return y, *tape.gradient(loss, backbone.trainable_variables)

    def test_rematerializing_runs_blocks_twice_in_training_alone(self):
        backbone = self.create_random(rematerialize=True)
        first = next(
            layer
            for layer in backbone._flatten_layers()
            if hasattr(layer, "drop_path")
        )
        with unittest.mock.patch.object(
            first, "call", wraps=first.call
        ) as called:
            for training, times in ((False, 1), (True, 2)):
                called.reset_mock()
                with tf.GradientTape() as tape:
                    y = backbone(self.images, training=training)
                tape.gradient(y, backbone.trainable_variables[0])
                self.assertEqual(called.call_count, times)

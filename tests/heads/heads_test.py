"""What every prediction head must do, tested alike for all of them."""

import numpy as np
import pytest
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim import backbones
from tf_simmim import heads
from tf_simmim import models

B, H, W, D, S, C = 2, 2, 3, 8, 4, 3
F = S * S * C
SMALL = dict(embed_dim=12, num_heads=3)
OPTIONS = {
    "linear": {},
    "mlp": {"hidden_ratio": 1.5},
    "decoder": {**SMALL, "depth": 2},
    "cross_attention": {**SMALL, "depth": 2},
}
ATTENDING = ("decoder", "cross_attention")


class HeadsTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.rng = np.random.default_rng(0)
        self.x = self.rng.normal(size=[B, H, W, D]).astype(np.float32)
        self.cells = np.array([[5, 0, 2, 2], [1, 4, 3, 0]], np.int32)

    def create(self, name, dtype=None):
        """With weights so large that every part of the head is felt."""
        head = heads.create(name, S, C, dtype=dtype, **OPTIONS[name])
        head(self.x)
        rng = np.random.default_rng(1)
        head.set_weights([0.4 * rng.normal(size=w.shape) for w in head.weights])
        return head

    def test_every_name_has_options_here(self):
        self.assertEqual(list(OPTIONS), list(heads.HEADS))

    @parameterized.parameters(*OPTIONS)
    def test_predicts_the_values_of_every_cell_in_float32(self, name):
        for policy in ("float32", "mixed_bfloat16", "mixed_float16"):
            y = self.create(name, policy)(self.x)
            self.assertEqual(y.shape, [B, H, W, F])
            self.assertEqual(y.dtype, tf.float32)

    @parameterized.parameters(*OPTIONS)
    def test_cells_are_the_same_as_among_all(self, name):
        head = self.create(name)
        every = tf.reshape(head(self.x), [B, H * W, F])
        want = np.take_along_axis(
            every.numpy(), self.cells[..., np.newaxis], axis=1
        )
        self.assertAllClose(head(self.x, cells=self.cells), want, atol=1e-5)
        jitted = tf.function(
            lambda x, cells: head(x, cells=cells), jit_compile=True
        )
        self.assertAllClose(jitted(self.x, self.cells), want, atol=1e-5)

    @parameterized.parameters(*OPTIONS)
    def test_batch_and_number_of_cells_may_be_unknown(self, name):
        head = self.create(name)
        function = tf.function(
            lambda x, cells: head(x, cells=cells),
            input_signature=[
                tf.TensorSpec([None, H, W, D]),
                tf.TensorSpec([None, None], tf.int32),
            ],
        )
        got = function(self.x, self.cells)
        self.assertAllClose(got, head(self.x, cells=self.cells), atol=1e-5)

    @parameterized.parameters(*OPTIONS)
    def test_pointwise_heads_alone_predict_a_cell_from_itself(self, name):
        head = self.create(name)
        changed = self.x.copy()
        changed[0, 1, 2] += 1
        difference = np.abs(head(changed) - head(self.x)).max(axis=-1)
        self.assertGreater(difference[0, 1, 2], 1e-3)
        self.assertAllEqual(difference[1], np.zeros([H, W]))
        difference[0, 1, 2] = 0
        self.assertEqual(head.is_pointwise, difference.max() == 0)
        self.assertEqual(head.is_pointwise, name not in ATTENDING)

    @parameterized.parameters("linear", "mlp")
    def test_pointwise_heads_take_tokens(self, name):
        head = self.create(name)
        tokens = self.x.reshape([B, H * W, D])
        want = tf.reshape(head(self.x), [B, H * W, F])
        self.assertAllClose(head(tokens), want, atol=1e-6)
        with self.assertRaisesRegex(ValueError, "`cells` must be"):
            head(tokens, cells=self.cells)

    @parameterized.parameters(*ATTENDING)
    def test_cells_that_look_alike_are_told_apart_by_their_place(self, name):
        y = self.create(name)(np.ones_like(self.x))
        y = tf.reshape(y, [B, H * W, F]).numpy()
        self.assertLen({tuple(row.round(4)) for row in y[0]}, H * W)

    @parameterized.parameters(*ATTENDING)
    def test_tokens_are_refused_by_heads_that_need_the_map(self, name):
        head = heads.create(name, S, C, **SMALL)
        with self.assertRaisesRegex(ValueError, "with a known map"):
            head(self.x.reshape([B, H * W, D]))

    @parameterized.parameters(*OPTIONS)
    def test_gradient_reaches_every_weight_and_the_features(self, name):
        head = self.create(name)
        x = tf.constant(self.x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = head(x, cells=self.cells)
            loss = tf.reduce_sum(y * self.rng.normal(size=y.shape))
        variables = [*head.trainable_weights, x]
        for variable, gradient in zip(
            variables, tape.gradient(loss, variables), strict=True
        ):
            self.assertIsNotNone(gradient, variable)
            self.assertGreater(np.abs(gradient).max(), 1e-5)

    # Not "linear", with which SimMIMs learn wherever one is fitted.
    @parameterized.parameters("mlp", *ATTENDING)
    @pytest.mark.slow
    def test_a_simmim_learns_with_it(self, name):
        """To well below what one colour for all pixels would cost."""
        tf.keras.utils.set_random_seed(0)
        backbone = backbones.ViT((16, 24), 8, 16, depth=1, num_heads=2)
        model = models.SimMIM(backbone, mask_patch_size=8, head=name)
        # At larger rates some stay where L1 has a plateau: at the median.
        model.compile(tf.keras.optimizers.Adam(1e-3))
        ramp = np.linspace(-1, 1, 24, dtype=np.float32)
        images = np.stack([ramp, -ramp])[:, None, :, None]
        images = np.tile(images, [1, 16, 1, 3])
        mask = np.zeros([2, 2, 3], np.int32)
        mask[:, 0, 0] = mask[:, 1, 2] = 1
        hidden = mask.repeat(8, 1).repeat(8, 2)[..., np.newaxis]
        level = np.abs(images).sum(where=hidden == 1) / hidden.sum() / 3
        element = {"image": images, "patch_mask": mask}
        dataset = tf.data.Dataset.from_tensors(element).repeat(240)
        model.fit(dataset, verbose=0)
        loss = float(model.reconstruct(images, mask)["loss"])
        self.assertLess(loss, 0.7 * level)
        copy = models.SimMIM.from_config(model.get_config())
        self.assertIsInstance(copy.head, heads.HEADS[name])

    @parameterized.parameters(
        ("mlp", {"hidden_ratio": 0}, "`hidden_ratio` must be positive"),
        ("mlp", {"stride": 0}, "`stride` and `channels` must be positive"),
        ("decoder", {"depth": 0}, "`depth` must be positive"),
        ("cross_attention", {"depth": 0}, "`depth` must be positive"),
        ("cross_attention", {"num_heads": 7}, "`num_heads` must be positive"),
        ("decoder", {"num_heads": 7}, "`num_heads`"),
        ("transformer", {}, "`head` must be one of .*'cross_attention'"),
    )
    def test_impossible_options_are_refused(self, name, options, message):
        with self.assertRaisesRegex(ValueError, message):
            heads.create(name, **{"stride": S, **options})(self.x)


if __name__ == "__main__":
    tf.test.main()

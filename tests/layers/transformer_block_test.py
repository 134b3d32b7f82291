"""Tests for tf_simmim.layers.transformer_block."""

import unittest.mock

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim import randomness
from tf_simmim.layers import transformer_block

B, M, D, K = 2, 5, 12, 3


def normalize(x, norm, epsilon):
    mean = x.mean(axis=-1, keepdims=True)
    variance = x.var(axis=-1, keepdims=True)
    x = (x - mean) / np.sqrt(variance + epsilon)
    return (x * norm.gamma + norm.beta).numpy()


class TransformerBlockTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.rng = np.random.default_rng(0)
        self.x = self.rng.normal(size=[B, M, D]).astype(np.float32)
        self.bias = self.rng.normal(size=[K, M, M]).astype(np.float32)

    def _block(self, **kwargs):
        block = transformer_block.TransformerBlock(K, **kwargs)
        block(self.x)
        block.set_weights(
            [0.5 * self.rng.normal(size=w.shape) for w in block.weights]
        )
        return block

    def _branches(self, block, x, attention_kept=1.0, mlp_kept=1.0):
        """The formula of the class from the parts of the block."""
        g1 = g2 = 1.0
        if block.layer_scale_init is not None:
            g1, g2 = block.attention_scale.gamma, block.mlp_scale.gamma
        normal = normalize(x, block.attention_norm, block.epsilon)
        x = x + attention_kept * g1 * block.attention(normal, self.bias)
        normal = normalize(x.numpy(), block.mlp_norm, block.epsilon)
        return x + mlp_kept * g2 * block.mlp(normal)

    @parameterized.parameters(
        {},
        {"layer_scale_init": None},
        {"epsilon": 0.1},
        {"qkv_bias": "none", "mlp_ratio": 2.0},
        {"key_dim": 5, "value_dim": 2, "mlp_dim": 7},
    )
    def test_equals_its_parts(self, **kwargs):
        block = self._block(**kwargs)
        y = block(self.x, position_bias=self.bias)
        want = self._branches(block, self.x)
        self.assertAllClose(y, want, rtol=1e-4, atol=1e-4)

    def test_taps_are_those_of_its_parts(self):
        block = self._block(key_dim=5, value_dim=2, mlp_dim=7)
        self.assertEqual(block.mlp.expand.kernel.shape, [D, 7])
        y, got = block(self.x, taps=("mlp_hidden", "heads"))
        self.assertAllEqual(y, block(self.x))
        self.assertEqual(sorted(got), ["heads", "mlp_hidden"])
        normal = normalize(self.x, block.attention_norm, block.epsilon)
        x, want = block.attention(normal, taps=("heads",))
        self.assertAllClose(got["heads"], want["heads"], 1e-4, 1e-4)
        x = (self.x + block.attention_scale.gamma * x).numpy()
        normal = normalize(x, block.mlp_norm, block.epsilon)
        _, want = block.mlp(normal, taps=("mlp_hidden",))
        self.assertAllClose(got["mlp_hidden"], want["mlp_hidden"], 1e-4, 1e-4)

    def test_attention_is_looked_up_by_name(self):
        class Uniform(transformer_block.ATTENTIONS["softmax"]):
            def _logits(self, query, key):
                return 0 * super()._logits(query, key)

        with unittest.mock.patch.dict(
            transformer_block.ATTENTIONS, uniform=Uniform
        ):
            block = self._block(attention="uniform")
            self.assertEqual(block.get_config()["attention"], "uniform")
            _, got = block(self.x, taps=("attention",))
        self.assertAllClose(got["attention"], np.full([B, K, M, M], 1 / M))

    @parameterized.parameters("query_value", "query_key_value", "none")
    def test_queries_are_the_rows_of_these_tokens(self, qkv_bias):
        block = self._block(drop_path=0.5, qkv_bias=qkv_bias)
        queries = np.array([[4, 0, 2], [1, 4, 3]], np.int32)
        options = {
            "position_bias": self.bias,
            "seed": randomness.seed_for(0, randomness.DROP_PATH),
            "training": True,
        }
        want = tf.gather(block(self.x, **options), queries, batch_dims=1)
        got = block(self.x, queries=queries, **options)
        self.assertAllClose(got, want, rtol=1e-5, atol=1e-5)

    def test_visible_tokens_are_the_same_without_the_hidden_ones(self):
        block = self._block()
        hidden = np.array([[0, 1, 0, 1, 0]] * B) == 1
        y = block(self.x, hidden_tokens=hidden).numpy()
        want = block(self.x[:, ::2])
        self.assertAllClose(y[:, ::2], want, rtol=1e-4, atol=1e-4)
        self.assertNotAllClose(block(self.x)[:, ::2], want)

    def test_position_bias_matters(self):
        block = self._block()
        without = block(self.x)
        self.assertNotAllClose(block(self.x, position_bias=self.bias), without)

    def test_epsilon_matters_where_tokens_hardly_vary(self):
        small = 1e-3 * self.x
        block = transformer_block.TransformerBlock(K, layer_scale_init=None)
        block(small)
        other = transformer_block.TransformerBlock(
            K, layer_scale_init=None, epsilon=1e-3
        )
        other(small)
        other.set_weights(block.get_weights())
        self.assertNotAllClose(block(small) - small, other(small) - small)

    @parameterized.parameters(
        ({}, 15),
        ({"layer_scale_init": None}, 13),
        ({"qkv_bias": "none"}, 13),
        ({"qkv_bias": "query_key_value"}, 14),
    )
    def test_options_choose_the_weights(self, kwargs, num_weights):
        self.assertLen(self._block(**kwargs).trainable_weights, num_weights)

    def test_options_set_shapes_and_first_values(self):
        block = transformer_block.TransformerBlock(
            K, mlp_ratio=2.0, layer_scale_init=0.3, output_stddev=0.5
        )
        block(tf.zeros([B, M, 24]))
        self.assertEqual(block.mlp.expand.kernel.shape, [24, 48])
        self.assertAllClose(block.attention_scale.gamma, np.full([24], 0.3))
        self.assertAllClose(block.mlp_scale.gamma, np.full([24], 0.3))
        for dense in (block.attention.projection, block.mlp.project):
            self.assertBetween(np.abs(dense.kernel).max(), 0.45, 0.5)
        self.assertLessEqual(np.abs(block.mlp.expand.kernel).max(), 0.02)

    def test_drop_path_leaves_each_branch_out_on_its_own(self):
        samples = 32
        block = self._block(drop_path=0.5)
        x = np.repeat(self.x[:1], samples, axis=0)
        seed = randomness.seed_for(0, randomness.DROP_PATH)
        y = block(x, position_bias=self.bias, seed=seed, training=True)

        outcomes = [
            self._branches(block, self.x[:1], a, m)
            for a in (0.0, 2.0)
            for m in (0.0, 2.0)
        ]
        seen = set()
        for sample in y:
            distances = [np.abs(sample - o[0]).max() for o in outcomes]
            self.assertLess(min(distances), 1e-4)
            seen.add(int(np.argmin(distances)))
        self.assertEqual(seen, {0, 1, 2, 3})

    def test_drop_path_follows_the_seed_and_is_off_outside_training(self):
        block = self._block(drop_path=0.5)
        x = self.rng.normal(size=[8, M, D])
        first, second = (
            randomness.seed_for(0, randomness.DROP_PATH, i) for i in range(2)
        )
        y = block(x, seed=first, training=True)
        self.assertAllEqual(y, block(x, seed=first, training=True))
        self.assertNotAllClose(y, block(x, seed=second, training=True))
        self.assertAllEqual(block(x, training=False), block(x, seed=second))

    def test_gradient_reaches_every_weight_in_training(self):
        block = self._block()
        with tf.GradientTape() as tape:
            y = block(self.x, position_bias=self.bias, training=True)
            loss = tf.reduce_sum(y * y)
        for grad in tape.gradient(loss, block.trainable_weights):
            self.assertGreater(np.abs(grad).max(), 0)

    def test_arguments_of_the_parts_are_checked(self):
        with self.assertRaisesRegex(ValueError, "`rate` must"):
            transformer_block.TransformerBlock(K, drop_path=1.0)
        with self.assertRaisesRegex(ValueError, "`num_heads` must"):
            transformer_block.TransformerBlock(5)(self.x)

    def test_without_a_seed_every_call_drops_other_samples(self):
        block = self._block(drop_path=0.5)
        x = self.rng.normal(size=[8, M, D])
        first, second = block(x, training=True), block(x, training=True)
        self.assertNotAllClose(first, second)


if __name__ == "__main__":
    tf.test.main()

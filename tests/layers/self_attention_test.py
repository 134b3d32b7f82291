"""Tests for tf_simmim.layers.self_attention."""

import zipfile

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim.layers import self_attention

B, M, D, K = 2, 5, 12, 3
E = D // K


def attend(layer, x, position_bias=None):
    """Attention in NumPy, one sample and one head at a time."""
    w_q, w_k, w_v = np.split(layer.qkv_kernel.numpy(), 3, axis=1)
    if layer.qkv_bias == "query_key_value":
        b_q, b_k, b_v = np.split(layer.biases["qkv"].numpy(), 3)
    else:
        b_q, b_k, b_v = (
            layer.biases[name].numpy() if name in layer.biases else 0.0
            for name in ("query", "key", "value")
        )
    w_o, b_o = (w.numpy() for w in layer.projection.weights)
    y = np.zeros_like(x)
    for b, tokens in enumerate(x):
        q, k, v = tokens @ w_q + b_q, tokens @ w_k + b_k, tokens @ w_v + b_v
        for head in range(layer.num_heads):
            width = D // layer.num_heads
            own = slice(head * width, (head + 1) * width)
            logits = q[:, own] @ k[:, own].T / np.sqrt(width)
            if position_bias is not None:
                logits = logits + position_bias[head]
            weights = np.exp(logits)
            weights /= weights.sum(axis=1, keepdims=True)
            y[b, :, own] = weights @ v[:, own]
    return y @ w_o + b_o


def test_a_file_of_version_0_1_0_opens_with_its_weights(tmp_path):
    """In which the class has the name of a layer of Keras."""
    tokens = tf.keras.Input([M, D])
    old = self_attention.MultiHeadAttention(K, name="a")
    model = tf.keras.Model(tokens, old(tokens))
    model.save(tmp_path / "old.keras")
    with zipfile.ZipFile(tmp_path / "old.keras") as file:
        # What the file had it under: see its configuration and its weights.
        assert b'"tf_simmim>MultiHeadAttention"' in file.read("config.json")
        weights = file.read("model.weights.h5")
        assert b"multi_head_attention" in weights
    loaded = tf.keras.models.load_model(tmp_path / "old.keras").get_layer("a")
    assert isinstance(loaded, self_attention.SelfAttention)
    np.testing.assert_array_equal(loaded.qkv_kernel, old.qkv_kernel)


class SelfAttentionTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.rng = np.random.default_rng(0)
        self.x = self.rng.normal(size=[B, M, D]).astype(np.float32)
        # Not symmetric, so that a transposed bias cannot pass.
        self.bias = self.rng.normal(size=[K, M, M]).astype(np.float32)

    def _layer(self, num_heads=K, **kwargs):
        layer = self_attention.SelfAttention(num_heads, **kwargs)
        layer(self.x)
        layer.set_weights(
            [0.4 * self.rng.normal(size=w.shape) for w in layer.weights]
        )
        return layer

    @parameterized.parameters("query_value", "query_key_value", "none")
    def test_equals_numpy(self, qkv_bias):
        layer = self._layer(qkv_bias=qkv_bias)
        y = layer(self.x)
        self.assertAllClose(y, attend(layer, self.x), rtol=1e-5, atol=1e-5)
        y = layer(self.x, position_bias=self.bias)
        want = attend(layer, self.x, self.bias)
        self.assertAllClose(y, want, rtol=1e-5, atol=1e-5)

    @parameterized.parameters(None, "mixed_float16", "mixed_bfloat16")
    def test_taps_are_what_numpy_has_and_change_nothing(self, dtype):
        layer = self._layer(dtype=dtype, key_dim=5, value_dim=2)
        wanted = layer(self.x, position_bias=self.bias)
        y, got = layer(
            self.x, position_bias=self.bias, taps=self_attention.TAPS
        )
        self.assertAllEqual(y, wanted)
        w_q, w_k, w_v = np.split(layer.qkv_kernel.numpy(), [15, 30], axis=1)
        q, k, v = (
            np.moveaxis(x.reshape(B, M, K, -1), 2, 1)
            for x in (
                self.x @ w_q + layer.biases["query"].numpy(),
                self.x @ w_k,
                self.x @ w_v + layer.biases["value"].numpy(),
            )
        )
        logits = q @ np.swapaxes(k, 2, 3) / np.sqrt(5) + self.bias
        weights = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
        want = dict(queries=q, keys=k, values=v, attention=weights)
        want["heads"] = weights @ v
        self.assertEqual(list(got), list(self_attention.TAPS))
        self.assertEqual(got["attention"].dtype, tf.float32)
        tolerance = 1e-5 if dtype is None else 0.05
        for name, value in want.items():
            self.assertAllClose(got[name], value, tolerance, tolerance, name)

    @parameterized.parameters(*self_attention.QKV_BIASES)
    def test_heads_may_have_any_width(self, qkv_bias):
        layer = self._layer(5, key_dim=3, value_dim=2, qkv_bias=qkv_bias)
        self.assertEqual(layer.qkv_kernel.shape, [D, 5 * (3 + 3 + 2)])
        self.assertEqual(layer.projection.kernel.shape, [10, D])
        w_q, w_k, w_v = np.split(layer.qkv_kernel.numpy(), [15, 30], axis=1)
        biases = {name: b.numpy() for name, b in layer.biases.items()}
        b_q, b_v = biases.get("query", 0), biases.get("value", 0)
        b_k = 0
        if qkv_bias == "query_key_value":
            b_q, b_k, b_v = np.split(biases["qkv"], [15, 30])
        want = np.zeros([B, M, 10], np.float32)
        for b, x in enumerate(self.x):
            q, k, v = x @ w_q + b_q, x @ w_k + b_k, x @ w_v + b_v
            for head in range(5):
                keys = slice(3 * head, 3 * head + 3)
                values = slice(2 * head, 2 * head + 2)
                weights = np.exp(q[:, keys] @ k[:, keys].T / np.sqrt(3))
                weights /= weights.sum(axis=1, keepdims=True)
                want[b][:, values] = weights @ v[:, values]
        want = want @ layer.projection.kernel + layer.projection.bias
        self.assertAllClose(layer(self.x), want, rtol=1e-5, atol=1e-5)
        queries = np.array([[3, 0], [4, 1]], np.int32)
        self.assertAllClose(
            layer(self.x, queries=queries),
            tf.gather(want, queries, batch_dims=1),
            rtol=1e-5,
            atol=1e-5,
        )

    def test_a_width_that_is_given_equals_the_one_that_follows(self):
        tf.random.set_seed(3)
        layer = self_attention.SelfAttention(K)
        wanted = layer(self.x)
        tf.random.set_seed(3)
        layer = self_attention.SelfAttention(K, key_dim=E, value_dim=E)
        self.assertAllEqual(layer(self.x), wanted)

    def test_a_token_of_size_s_counts_as_s_tokens(self):
        layer = self._layer(key_dim=2)
        sizes = np.array([[1, 2, 1, 3], [2, 1, 1, 1]], np.float32)
        got = layer(self.x[:, :4], token_sizes=sizes)
        for b in range(B):
            numbers = np.repeat(np.arange(4), sizes[b].astype(int))
            want = layer(self.x[b : b + 1, numbers])
            first = np.searchsorted(numbers, np.arange(4))
            self.assertAllClose(got[b], want[0].numpy()[first], 1e-5, 1e-5)

    @parameterized.parameters(1, 2, 6)
    def test_num_heads_splits_the_width(self, num_heads):
        layer = self._layer(num_heads)
        want = attend(layer, self.x)
        self.assertAllClose(layer(self.x), want, rtol=1e-5, atol=1e-5)

    @parameterized.parameters(
        ("query_value", {"query": [D], "value": [D]}),
        ("query_key_value", {"qkv": [3 * D]}),
        ("none", {}),
    )
    def test_qkv_bias_chooses_the_biases_and_they_start_at_zero(
        self, qkv_bias, shapes
    ):
        layer = self_attention.SelfAttention(K, qkv_bias)
        layer(self.x)
        self.assertEqual({k: b.shape for k, b in layer.biases.items()}, shapes)
        self.assertLen(layer.weights, 3 + len(shapes))
        for bias in layer.biases.values():
            self.assertAllEqual(bias, np.zeros(bias.shape))

    def test_a_bias_on_keys_changes_nothing_and_others_do(self):
        layer = self._layer(qkv_bias="query_key_value")
        before = layer(self.x, position_bias=self.bias)
        for part, matters in enumerate([True, False, True]):  # q, k, v
            noise = np.zeros([3, D])
            noise[part] = self.rng.normal(size=[D])
            layer.biases["qkv"].assign_add(noise.ravel())
            after = layer(self.x, position_bias=self.bias)
            change = np.abs(after - before).max()
            if matters:
                self.assertGreater(change, 0.01)
            else:
                self.assertLess(change, 1e-5)
            layer.biases["qkv"].assign_sub(noise.ravel())

    def test_windows_of_an_image_may_have_a_bias_each(self):
        """Six rows are two images of three windows."""
        layer = self._layer()
        x = self.rng.normal(size=[6, M, D]).astype(np.float32)
        bias = self.rng.normal(size=[3, K, M, M]).astype(np.float32)
        got = layer(x, position_bias=bias)
        for row in range(6):
            window = slice(row, row + 1)
            want = layer(x[window], position_bias=bias[row % 3])
            self.assertAllClose(got[window], want, rtol=1e-5, atol=1e-5)

    def test_a_large_position_bias_directs_attention(self):
        layer = self._layer()
        bias = np.zeros([K, M, M], np.float32)
        bias[:, :, 3] = 1e4  # every token looks at token 3 alone
        y = layer(self.x, position_bias=bias)
        for token in range(M):
            self.assertAllClose(y[:, token], y[:, 0], atol=1e-5)

    # A product's sum is rounded to 1/1024 of itself in float16: 1e-3 measured.
    @parameterized.parameters(("float32", 1e-5), ("mixed_float16", 4e-3))
    def test_hidden_tokens_are_as_good_as_absent(self, policy, tolerance):
        layer = self._layer(dtype=policy)
        hidden = np.array([[0, 1, 0, 1, 0], [1, 0, 0, 0, 0]]) == 1
        y = layer(self.x, hidden_tokens=tf.constant(hidden))
        for b in range(B):
            visible = ~hidden[b]
            want = layer(self.x[b : b + 1, visible])
            self.assertAllClose(
                y[b][visible], want[0], rtol=tolerance, atol=tolerance
            )
        noise = 9 * hidden[..., np.newaxis].astype(np.float32)
        after = layer(self.x + noise, hidden_tokens=tf.constant(hidden))
        self.assertAllEqual(after[~hidden], y[~hidden])

    def test_hidden_tokens_go_with_a_position_bias_and_queries(self):
        layer = self._layer()
        hidden = np.array([[0, 1, 0, 0, 1], [0, 0, 0, 0, 0]]) == 1
        kept, queries = [0, 2, 3], np.array([[3, 0], [4, 1]], np.int32)
        options = dict(position_bias=self.bias, hidden_tokens=hidden)
        y = layer(self.x, **options)
        bias = self.bias[:, kept][:, :, kept]
        want = layer(self.x[:1, kept], position_bias=bias)
        self.assertAllClose(y[0].numpy()[kept], want[0], rtol=1e-5, atol=1e-5)
        self.assertAllClose(
            layer(self.x, queries=queries, **options),
            tf.gather(y, queries, batch_dims=1),
            rtol=1e-5,
            atol=1e-5,
        )

    def test_nothing_but_hidden_tokens_is_finite(self):
        y = self._layer()(self.x, hidden_tokens=np.ones([B, M], bool))
        self.assertAllInRange(y, -1e3, 1e3)

    def test_gradient_reaches_every_weight_and_the_position_bias(self):
        layer = self._layer()
        bias = tf.constant(self.bias)
        with tf.GradientTape() as tape:
            tape.watch(bias)
            loss = tf.reduce_sum(layer(self.x, position_bias=bias) * self.x)
        sources = [*layer.trainable_weights, bias]
        for grad in tape.gradient(loss, sources):
            self.assertGreater(np.abs(grad).max(), 1e-3)

    def test_output_stddev_bounds_the_output_projection_alone(self):
        layer = self_attention.SelfAttention(K, output_stddev=0.5)
        layer(tf.zeros([B, M, 24]))
        qkv = np.abs(layer.qkv_kernel).max()
        output = np.abs(layer.projection.kernel).max()
        self.assertBetween(qkv, 0.019, 0.02)
        self.assertBetween(output, 0.45, 0.5)
        self.assertAllEqual(layer.projection.bias, np.zeros([24]))

    def test_kernel_bound_cuts_both_kernels(self):
        for bound, low in ((0.5, 0.45), (5.0, 2.5)):
            layer = self_attention.SelfAttention(
                K, output_stddev=0.5, kernel_bound=bound
            )
            layer(tf.zeros([B, M, 24]))
            for kernel, stddev in (
                (layer.qkv_kernel, 0.02),
                (layer.projection.kernel, 0.5),
            ):
                largest = np.abs(kernel).max() / stddev
                self.assertBetween(largest, low, bound)

    @parameterized.parameters(5, 0, -3)
    def test_num_heads_that_does_not_divide_is_refused(self, num_heads):
        layer = self_attention.SelfAttention(num_heads)
        with self.assertRaisesRegex(
            ValueError, "`num_heads` must be positive and divide embed_dim"
        ):
            layer(self.x)

    @parameterized.parameters({"key_dim": 0}, {"value_dim": -2})
    def test_widths_that_are_not_positive_are_refused(self, **options):
        with self.assertRaisesRegex(ValueError, "`key_dim` and `value_dim`"):
            self_attention.SelfAttention(K, **options)(self.x)

    def test_heads_need_not_divide_where_both_widths_are_given(self):
        self_attention.SelfAttention(5, key_dim=3, value_dim=2)(self.x)
        with self.assertRaisesRegex(ValueError, "`num_heads`"):
            self_attention.SelfAttention(5, key_dim=3)(self.x)


if __name__ == "__main__":
    tf.test.main()

"""Tests for tf_simmim.layers.token_merging."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim.layers import token_merging

B, D, E = 2, 3, 2


def by_hand(x, sizes, groups, metric, num_merged, num_first):
    """Merges the tokens of one image, one after another.

    `groups` has, for each token, the numbers of the first tokens in it.
    """
    patches = range(num_first, len(x))
    of_a, of_b = list(patches)[::2], list(patches)[1::2]
    unit = metric / np.linalg.norm(metric, axis=1, keepdims=True)
    scores = unit[of_a] @ unit[of_b].T
    merged = np.argsort(-scores.max(axis=1), kind="stable")[:num_merged]
    x, sizes, groups = x.copy(), sizes.copy(), [set(g) for g in groups]
    for a in merged:
        b = of_b[scores[a].argmax()]
        a = of_a[a]
        x[b] = (x[b] * sizes[b] + x[a] * sizes[a]) / (sizes[b] + sizes[a])
        sizes[b] += sizes[a]
        groups[b] |= groups[a]
    gone = {of_a[a] for a in merged}
    order = [*range(num_first), *(a for a in of_a if a not in gone), *of_b]
    return x[order], sizes[order], [groups[i] for i in order]


class TokenMergingTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters((8, 0), (9, 0), (9, 1), (10, 3))
    def test_two_merges_equal_those_by_hand(self, num_tokens, num_first):
        rng = np.random.default_rng(num_tokens)
        x = rng.normal(size=[B, num_tokens, D]).astype(np.float32)
        metric = rng.normal(size=[B, num_tokens, E]).astype(np.float32)

        @tf.function(jit_compile=True)
        def merge(x, metric):
            first = token_merging.Tokens(x)
            once = token_merging.merge(first, metric, 3, num_first)
            again = metric[:, : once.tokens.shape[1]]
            return token_merging.merge(once, again, 2, num_first)

        got = merge(x, metric)
        self.assertEqual(got.tokens.shape, [B, num_tokens - 5, D])
        whole = token_merging.unmerge(got.tokens, got.places)
        for b in range(B):
            groups = [{i} for i in range(num_tokens)]
            want = x[b], np.ones(num_tokens), groups
            for number in (3, 2):
                own = metric[b, : len(want[0])]
                want = by_hand(*want, own, number, num_first)
            tokens, sizes, groups = want
            self.assertAllClose(got.tokens[b], tokens, 1e-5, 1e-5)
            self.assertAllClose(got.sizes[b], sizes)
            for i, group in enumerate(groups):
                self.assertAllEqual(
                    np.flatnonzero(got.places[b] == i), sorted(group)
                )
                mean = x[b, sorted(group)].mean(axis=0)
                self.assertAllClose(tokens[i], mean, 1e-5, 1e-5)
            for first in range(num_tokens):
                (i,) = (i for i, g in enumerate(groups) if first in g)
                self.assertAllClose(whole[b, first], tokens[i], 1e-5, 1e-5)

    def test_tokens_that_are_alike_are_merged_first(self):
        x = np.array([[[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 1]]], "float32")
        got = token_merging.merge(token_merging.Tokens(x), x, 1, 0)
        self.assertAllEqual(got.tokens[0], x[0, [0, 1, 3]])
        self.assertAllEqual(got.sizes, [[1, 1, 2]])
        self.assertAllEqual(got.places, [[0, 1, 2, 2]])

    def test_the_gradient_is_that_of_means(self):
        x = tf.constant(np.random.default_rng(0).normal(size=[B, 6, D]))
        with tf.GradientTape() as tape:
            tape.watch(x)
            got = token_merging.merge(token_merging.Tokens(x), x, 2, 1)
            loss = tf.reduce_sum(got.tokens)
        sizes = tf.gather(got.sizes, got.places, batch_dims=1)
        want = tf.repeat(1 / sizes[..., tf.newaxis], D, axis=2)
        self.assertAllClose(tape.gradient(loss, x), want, 1e-5, 1e-5)

    @parameterized.parameters("float16", "bfloat16")
    def test_means_are_taken_in_float32(self, dtype):
        x = np.random.default_rng(0).normal(size=[B, 6, D])
        low = tf.cast(x, dtype)
        got = token_merging.merge(token_merging.Tokens(low), low, 2, 1)
        self.assertEqual(got.tokens.dtype, dtype)
        self.assertEqual(got.sizes.dtype, tf.float32)

    def test_without_a_merge_everything_is_in_its_place(self):
        x = tf.ones([B, 4, D])
        self.assertIs(token_merging.unmerge(x, None), x)


if __name__ == "__main__":
    tf.test.main()

"""Tests for tf_simmim.backbones.visible_tokens."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim.backbones import visible_tokens

B, M, D = 2, 5, 3


class VisibleTokensTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        x = np.arange(B * M * D, dtype=np.float32).reshape(B, M, D)
        self.tokens = tf.constant(x)
        self.hidden = tf.constant([[1, 0, 0, 1, 0], [0, 1, 0, 0, 1]]) == 1
        self.seen = []

    def encoder(self, tokens, hidden):
        self.seen.append((tuple(tokens.shape), hidden is not None))
        return 2 * tokens

    @parameterized.parameters(
        (False, [[1, 0, 0, 0, 1, 0], [0, 1, 1, 0, 0, 0]]),
        (True, [[0, 1, 0, 0, 0, 1, 0], [0, 0, 1, 1, 0, 0, 0]]),
    )
    def test_hidden_tokens_are_row_major_and_spare_the_class_token(
        self, class_token, want
    ):
        mask = tf.constant([[[1, 0, 0], [0, 1, 0]], [[0, 1, 1], [0, 0, 0]]])
        for patch_mask in (mask, mask == 1):
            got = visible_tokens.hidden_tokens(patch_mask, class_token)
            self.assertAllEqual(got, np.array(want) == 1)

    def test_the_expected_number_is_taken_out_and_put_back_in_place(self):
        got = visible_tokens.encode(self.encoder, self.tokens, self.hidden, 3)
        self.assertEqual(self.seen, [((B, 3, D), False)])
        visible = ~self.hidden.numpy()
        self.assertAllEqual(got[visible], 2 * self.tokens[visible])

    def test_visible_tokens_keep_their_order(self):
        orders = []

        def encoder(tokens, _):
            orders.append(tokens.numpy())
            return tokens

        visible_tokens.encode(encoder, self.tokens, self.hidden, 3)
        want = tf.gather(self.tokens, [[1, 2, 4], [0, 2, 3]], batch_dims=1)
        self.assertAllEqual(orders[0], want)

    def test_without_a_number_all_are_encoded(self):
        got = visible_tokens.encode(
            self.encoder, self.tokens, self.hidden, None
        )
        self.assertEqual(self.seen, [((B, M, D), True)])
        self.assertAllEqual(got, 2 * self.tokens)

    @parameterized.parameters(1, 2, 4, 5)
    def test_another_number_is_an_error(self, m):
        for run in (visible_tokens.encode, tf.function(visible_tokens.encode)):
            with self.assertRaisesRegex(
                tf.errors.InvalidArgumentError, "`patch_mask` must leave"
            ):
                run(self.encoder, self.tokens, self.hidden, m)

    @parameterized.parameters(False, True)
    def test_xla_makes_nan_of_a_sample_with_another_number(self, is_hidden):
        hidden = np.array([self.hidden[0], [is_hidden] * M])
        run = tf.function(
            lambda hidden: visible_tokens.encode(
                self.encoder, self.tokens, hidden, 3
            ),
            jit_compile=True,
        )
        got = run(hidden)
        visible = ~hidden[0]
        self.assertAllEqual(got[0][visible], 2 * self.tokens[0][visible])
        self.assertAllEqual(got[1], np.full([M, D], np.nan))

    @parameterized.parameters(0, -1, M + 1)
    def test_impossible_numbers_are_refused(self, m):
        with self.assertRaisesRegex(
            ValueError, rf"`num_visible` must lie in \[1, 5\].*Received: {m}"
        ):
            visible_tokens.encode(self.encoder, self.tokens, self.hidden, m)


if __name__ == "__main__":
    tf.test.main()

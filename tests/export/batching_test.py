"""Tests for tf_simmim.export.batching."""

from absl.testing import absltest
from absl.testing import parameterized

from tf_simmim.export import batching


class BatchingTest(parameterized.TestCase):
    @parameterized.parameters(
        (1, [1]),
        (2, [1, 2]),
        (32, [1, 2, 4, 8, 16, 32]),
        (33, [1, 2, 4, 8, 16, 32, 33]),
    )
    def test_sizes_double_up_to_the_largest(self, largest, want):
        self.assertEqual(batching.allowed_sizes(largest), want)

    def test_the_file_says_so_and_nothing_is_wrong_with_it(self):
        text = batching.text(5)
        self.assertIn("max_batch_size { value: 5 }\n", text)
        self.assertEndsWith(
            text,
            "allowed_batch_sizes: 1\nallowed_batch_sizes: 2\n"
            "allowed_batch_sizes: 4\nallowed_batch_sizes: 5\n",
        )
        self.assertEqual(batching.problems(text), [])

    def test_what_a_server_would_refuse_is_found(self):
        text = batching.text(4)
        (problem,) = batching.problems(text.replace("sizes: 4", "sizes: 3"))
        self.assertIn("end with max_batch_size 4: [1, 2, 3]", problem)
        (problem,) = batching.problems(text.replace("sizes: 2", "sizes: 9"))
        self.assertIn("must rise", problem)
        self.assertEqual(batching.problems(""), ["it has no max_batch_size"])


if __name__ == "__main__":
    absltest.main()

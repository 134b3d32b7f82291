"""Tests for tf_simmim.export.comparison."""

import numpy as np
from absl.testing import absltest
from absl.testing import parameterized

from tests.export import tiny
from tf_simmim.export import comparison


class ComparisonTest(parameterized.TestCase):
    @parameterized.parameters(
        # Absolute below 1, relative above.
        (0.5, 0.5 + 0.9e-3, True),
        (0.5, 0.5 + 1.1e-3, False),
        (200.0, 200.19, True),
        (200.0, 200.21, False),
        (0.5, np.nan, False),
        (0.5, np.inf, False),
    )
    def test_floats_may_differ_by_the_tolerance(self, want, got, passes):
        problems = comparison.answer_problems(
            {"a": np.float32([[got, 0]])},
            {"a": np.float32([[want, 0]])},
            tolerance=1e-3,
        )
        self.assertEqual(problems == [], passes)

    def test_what_is_whole_must_be_equal_but_for_16_bits(self):
        got = {
            "label": np.int64([1, 2]),
            "name": np.array([b"a", b"b"], object),
        }
        other = {**got, "name": np.array([b"a", b"c"], object)}
        self.assertEqual(comparison.answer_problems(got, got, 1e-5), [])
        (problem,) = comparison.answer_problems(other, got, 1e-5)
        self.assertIn("name", problem)
        self.assertEqual(comparison.answer_problems(other, got, 1e-2), [])

    @parameterized.parameters((1, True), (2, False))
    def test_pictures_may_differ_by_one_level(self, step, passes):
        pixels = np.full([4, 6, 3], 100, np.uint8)
        want = {"a_png_bytes": np.array([tiny.encoded(pixels)] * 2, object)}
        pixels[2, 3, 1] += step
        got = {"a_png_bytes": want["a_png_bytes"].copy()}
        got["a_png_bytes"][1] = tiny.encoded(pixels)
        problems = comparison.answer_problems(got, want, 1e-5)
        self.assertEqual(problems == [], passes)

    def test_other_names_shapes_and_types_are_named(self):
        one = {"a": np.float32([1])}
        self.assertEqual(
            comparison.answer_problems(one, {"b": one["a"]}, 1.0),
            ["outputs ['a'] instead of ['b']"],
        )
        for other in (np.float32([[1]]), np.int32([1])):
            (problem,) = comparison.answer_problems({"a": other}, one, 1.0)
            self.assertRegex(problem, "a is .* instead of float32")

    def test_the_largest_difference_is_that_of_floats(self):
        want = {"a": np.float32([10, 4]), "b": np.int32([1])}
        got = {"a": np.float32([10, 5]), "b": np.int32([7])}
        self.assertAlmostEqual(comparison.largest_difference(got, want), 0.1)


if __name__ == "__main__":
    absltest.main()

"""Tests for tf_simmim.sizes."""

import hypothesis
import tensorflow as tf
from absl.testing import parameterized
from hypothesis import strategies as st

from tf_simmim import sizes

SIDE = st.integers(1, 500)


class SizesTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters(
        (32, (32, 32)), ((32, 48), (32, 48)), ([48, 32], (48, 32))
    )
    def test_one_number_is_a_square_and_two_are_height_and_width(
        self, size, want
    ):
        self.assertEqual(sizes.as_pair(size, "image_size"), want)

    @parameterized.parameters(
        0, -3, 1.5, "32", None, [()], [(32,)], [(32, 48, 3)], [(32, 0)],
        [(32.0, 48)],
    )  # fmt: skip
    def test_anything_else_is_refused_under_the_name_of_the_argument(
        self, size
    ):
        with self.assertRaisesRegex(
            ValueError, "`image_size` must be a positive int or a pair"
        ):
            sizes.as_pair(size, "image_size")

    @hypothesis.settings(deadline=None)
    @hypothesis.given(rows=SIDE, columns=SIDE, divisor=st.integers(1, 64))
    def test_multiples_pass(self, rows, columns, divisor):
        size = (rows * divisor, columns * divisor)
        sizes.require_multiple(size, "image_size", divisor, "patch_size")

    @parameterized.parameters(
        ((100, 96), 16, "96x96 or 112x96"),
        ((96, 100), 16, "96x96 or 96x112"),
        ((100, 250), 32, "96x224 or 128x256"),
        ((10, 5), 16, "are 16x16"),
    )
    def test_the_nearest_sizes_that_work_are_named(
        self, size, divisor, nearest
    ):
        with self.assertRaisesRegex(
            ValueError,
            rf"`image_size` must be a multiple of `patch_size` \({divisor} px\)"
            rf".*{nearest}\. Received: image_size={size[0]}x{size[1]}\.",
        ):
            sizes.require_multiple(size, "image_size", divisor, "patch_size")

    @parameterized.parameters(0, -4, 4.0, None, [(4, 4)])
    def test_divisor_that_is_not_a_positive_int_is_refused(self, divisor):
        with self.assertRaisesRegex(
            ValueError, "`patch_size` must be a positive int"
        ):
            sizes.require_multiple((8, 8), "image_size", divisor, "patch_size")

    @hypothesis.settings(deadline=None)
    @hypothesis.given(height=SIDE, width=SIDE, divisor=st.integers(2, 64))
    def test_sizes_that_are_named_do_work(self, height, width, divisor):
        hypothesis.assume(height % divisor or width % divisor)
        with self.assertRaises(ValueError) as caught:
            sizes.require_multiple((height, width), "a", divisor, "b")
        nearest = str(caught.exception).split(" are ")[1].split(".")[0]
        for size in nearest.split(" or "):
            size = tuple(int(side) for side in size.split("x"))
            sizes.require_multiple(size, "a", divisor, "b")
            self.assertLess(abs(size[0] - height), divisor)
            self.assertLess(abs(size[1] - width), divisor)


if __name__ == "__main__":
    tf.test.main()

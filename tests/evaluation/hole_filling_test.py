"""Tests for tf_simmim.evaluation.hole_filling."""

import hypothesis
import hypothesis.strategies as st
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim.evaluation import hole_filling

B, H, W, C = 2, 5, 6, 3
FILLS = (
    hole_filling.best_colour,
    hole_filling.visible_mean,
    hole_filling.from_neighbours,
)


def random_case(seed, num_hidden=11):
    rng = np.random.default_rng(seed)
    images = rng.uniform(size=[B, H, W, C]).astype(np.float32)
    hidden = np.zeros([B, H * W], bool)
    for row in hidden:
        row[rng.permutation(H * W)[:num_hidden]] = True
    return images, hidden.reshape(B, H, W)


class HoleFillingTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters(*FILLS)
    def test_visible_pixels_stay_and_the_images_themselves_too(self, fill):
        images, hidden = random_case(0, num_hidden=10)
        before = images.copy()
        filled = fill(images, hidden)
        self.assertEqual(filled.dtype, np.float32)
        self.assertAllEqual(filled[~hidden], before[~hidden])
        self.assertAllEqual(images, before)
        self.assertTrue(np.all(filled[hidden] != before[hidden]))

    def test_best_colour_is_the_median_of_each_images_hidden_pixels(self):
        images, hidden = random_case(1)
        filled = hole_filling.best_colour(images, hidden)
        for b in range(B):
            for c in range(C):
                want = np.median(images[b, ..., c][hidden[b]])
                self.assertAllClose(filled[b, ..., c][hidden[b]], [want] * 11)

    def test_visible_mean_is_the_mean_of_each_images_visible_pixels(self):
        images, hidden = random_case(2)
        filled = hole_filling.visible_mean(images, hidden)
        for b in range(B):
            for c in range(C):
                want = np.mean(images[b, ..., c][~hidden[b]])
                self.assertAllClose(filled[b, ..., c][hidden[b]], [want] * 11)

    def test_from_neighbours_draws_a_line_between_two_visible_columns(self):
        ramp = np.array([3.0, 0.0, 0.0, 9.0])
        images = np.tile(ramp[:, np.newaxis], [2, H, 1, 1])
        hidden = np.zeros([2, H, 4], bool)
        hidden[:, :, 1:3] = True
        filled = hole_filling.from_neighbours(images, hidden)
        want = np.tile(np.array([3.0, 5.0, 7.0, 9.0])[:, np.newaxis], [H, 1, 1])
        self.assertAllClose(filled, [want, want])

    @hypothesis.settings(deadline=None, max_examples=20)
    @hypothesis.given(st.integers(0, 10**6), st.integers(1, H * W - 1))
    def test_from_neighbours_makes_each_pixel_the_mean_around_it(
        self, seed, num_hidden
    ):
        images, hidden = random_case(seed, num_hidden)
        filled = hole_filling.from_neighbours(images, hidden)
        for b, y, x in np.argwhere(hidden):
            around = [
                filled[b, y + dy, x + dx]
                for dy, dx in ((-1, 0), (1, 0), (0, -1), (0, 1))
                if 0 <= y + dy < H and 0 <= x + dx < W
            ]
            self.assertAllClose(
                filled[b, y, x], np.mean(around, axis=0), atol=1e-5
            )

    @parameterized.product(fill=FILLS, hides=(False, True))
    def test_masks_that_hide_all_or_nothing_are_refused(self, fill, hides):
        images, hidden = random_case(3)
        hidden[1] = hides
        received = rf"\[11, {30 if hides else 0}\] hidden of 30"
        with self.assertRaisesRegex(ValueError, f"and visible.*{received}"):
            fill(images, hidden)


if __name__ == "__main__":
    tf.test.main()

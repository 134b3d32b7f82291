"""Tests for tf_simmim.visualization.mask_gallery."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim import masking
from tf_simmim import randomness
from tf_simmim import visualization

H, W, P = 24, 36, 4
CELL = (48, 72)
GAP, LINE = 6, 19
HIDDEN_COLOUR = (128, 140, 165)
IMAGE = np.full([H, W, 3], (250, 20, 10), np.uint8)


class MaskGalleryTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.rows = {
            name: [
                masking.create(name, (H, W), P, size, 0.5) for size in (4, 12)
            ]
            for name in ("random", "grid", "block_wise")
        }

    def gallery(self, image=IMAGE, **kwargs):
        return visualization.mask_gallery(
            image,
            self.rows,
            ["small", "large"],
            **{"cell_size": CELL, "num_masks": 3, **kwargs},
        )

    def cell(self, picture, i, j):
        height, width = CELL
        top = GAP + LINE + i * (height + LINE + GAP)
        left = picture.shape[1] - (2 - j) * (width + GAP)
        return picture[top : top + height, left : left + width]

    def test_a_cell_shows_the_visible_patches_of_its_generator(self):
        picture = self.gallery(seed=5)
        self.assertEqual(picture.dtype, np.uint8)
        for i, generators in enumerate(self.rows.values()):
            for j, generator in enumerate(generators):
                seed = randomness.seed_for(5, randomness.MASK, i, j)
                mask = generator.sample(seed).numpy().repeat(8, 0).repeat(8, 1)
                want = np.where(
                    mask[..., np.newaxis], HIDDEN_COLOUR, IMAGE[0, 0]
                )
                self.assertAllEqual(self.cell(picture, i, j), want)

    def test_there_is_a_caption_under_each_and_a_heading_above(self):
        picture = self.gallery()
        for i in range(3):
            for j in range(2):
                top = GAP + LINE + i * (CELL[0] + LINE + GAP) + CELL[0]
                left = picture.shape[1] - (2 - j) * (CELL[1] + GAP)
                caption = picture[top : top + LINE, left : left + CELL[1]]
                self.assertLess(caption.min(), 128)
        self.assertLess(picture[: GAP + LINE].min(), 128)

    def test_the_seed_changes_the_masks(self):
        self.assertAllEqual(self.gallery(), self.gallery())
        first, second = self.gallery(seed=1), self.gallery(seed=2)
        self.assertNotAllEqual(self.cell(first, 0, 0), self.cell(second, 0, 0))

    @parameterized.parameters(
        (np.zeros([H, W, 3]), "float64"),
        (np.zeros([H, W], np.uint8), r"uint8 \(24, 36\)"),
        (np.zeros([H, W, 4], np.uint8), r"uint8 \(24, 36, 4\)"),
    )
    def test_what_is_no_photograph_is_refused(self, image, received):
        with self.assertRaisesRegex(ValueError, f"`image` must.*{received}"):
            self.gallery(image)

    def test_row_with_a_gap_is_refused(self):
        del self.rows["grid"][1]
        with self.assertRaisesRegex(
            ValueError, "2 headings. Received: 1 in 'grid'"
        ):
            self.gallery()


if __name__ == "__main__":
    tf.test.main()

"""Tests for tf_simmim.data.sources.holdout."""

import tensorflow as tf
from absl.testing import parameterized

from tf_simmim.data.sources import holdout


class HoldoutTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters(
        (1, []),
        (2, [1]),
        (12, [11]),
        (19, [18]),
        (20, [19]),
        (39, [19]),
        (45, [19, 39]),
    )
    def test_the_held_out_positions_are_these(self, num_images, want):
        got = [
            position
            for position in range(num_images)
            if holdout.belongs(position, num_images, "test")
        ]
        self.assertEqual(got, want)

    @parameterized.parameters(1, 2, 13, 20, 21, 40, 67)
    def test_splits_are_disjoint_whole_and_counted_without_gaps(self, total):
        seen = []
        for split in ("train", "test"):
            own = [
                position
                for position in range(total)
                if holdout.belongs(position, total, split)
            ]
            self.assertLen(own, holdout.count(total, split))
            self.assertEqual(
                [holdout.index_within(position, split) for position in own],
                list(range(len(own))),
            )
            seen += own
        self.assertCountEqual(seen, range(total))

    @parameterized.parameters(1, 2, 20, 45)
    def test_the_split_all_is_every_position(self, total):
        self.assertEqual(holdout.count(total, "all"), total)
        for position in range(total):
            self.assertTrue(holdout.belongs(position, total, "all"))
            self.assertEqual(holdout.index_within(position, "all"), position)

    def test_tensors_give_what_integers_give(self):
        for position in range(45):
            tensor = tf.constant(position, tf.int64)
            self.assertEqual(
                bool(holdout.belongs(tensor, 45, "test")),
                holdout.belongs(position, 45, "test"),
            )
            self.assertEqual(
                int(holdout.index_within(tensor, "train")),
                holdout.index_within(position, "train"),
            )


if __name__ == "__main__":
    tf.test.main()

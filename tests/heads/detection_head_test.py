"""Tests for tf_simmim.heads.detection_head."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim import heads

B, F, L, K = 2, 6, 3, 5
SIZES = [(4, 7), (2, 4)]


def maps():
    rng = np.random.default_rng(0)
    return [rng.normal(size=[B, *s, F]).astype(np.float32) for s in SIZES]


def create(**options):
    tf.keras.utils.set_random_seed(0)
    return heads.DetectionHead(
        **{
            "num_classes": L,
            "num_anchors": K,
            "num_convolutions": 2,
            "width": 8,
            **options,
        }
    )


class DetectionHeadTest(tf.test.TestCase, parameterized.TestCase):
    def test_there_is_a_row_for_each_anchor_of_each_map(self):
        outputs = create()(maps())
        num_anchors = K * (4 * 7 + 2 * 4)
        self.assertEqual(outputs["box"].shape, [B, num_anchors, 4])
        self.assertEqual(outputs["classification"].shape, [B, num_anchors, L])

    def test_rows_are_in_the_order_of_levels_rows_and_cells(self):
        head = create(num_convolutions=0)
        whole = head(maps())
        changed = maps()
        changed[1][0, 1, 3] += 1.0  # the last cell of the second map
        for name, value in head(changed).items():
            moved = np.any(value != whole[name], axis=-1)  # [B, A]
            self.assertFalse(moved[1].any())
            rows = np.flatnonzero(moved[0])
            # A convolution of 3 x 3 reaches its neighbours, and no other map.
            first = K * 4 * 7
            cells = [first + K * (4 * y + x) for y in (0, 1) for x in (2, 3)]
            want = [cell + k for cell in cells for k in range(K)]
            self.assertAllEqual(rows, want)

    def test_at_first_nothing_is_an_object(self):
        share = tf.sigmoid(create()(maps())["classification"])
        self.assertAllInRange(share, 0.005, 0.02)

    def test_maps_share_all_weights(self):
        one, two = create(), create()
        one(maps()[:1])
        two(maps())
        self.assertEqual(
            [w.shape for w in one.weights], [w.shape for w in two.weights]
        )
        # Two towers of a kernel and a norm each, and two ends.
        self.assertLen(one.weights, 2 * 2 * 3 + 2 * 2)

    def test_the_towers_learn_from_their_own_part_alone(self):
        head = create()
        for name, other in (
            ("box", head.classification_tower),
            ("classification", head.box_tower),
        ):
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(head(maps())[name] ** 2)
            weights = [w for layer in other for w in layer.trainable_weights]
            self.assertEqual(set(tape.gradient(loss, weights)), {None})

    @parameterized.parameters("num_classes", "num_anchors", "width")
    def test_impossible_numbers_are_refused(self, name):
        with self.assertRaisesRegex(ValueError, f"Received: .*{name}=0"):
            create(**{name: 0})
        with self.assertRaisesRegex(ValueError, "num_convolutions=-1"):
            create(num_convolutions=-1)


if __name__ == "__main__":
    tf.test.main()

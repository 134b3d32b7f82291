"""Tests for tf_simmim.data.order."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim import randomness
from tf_simmim.data import order

GOLDEN_EPOCH_0 = [10, 8, 1, 3, 2, 9, 5, 4, 0, 6, 7, 11]
GOLDEN_EPOCH_1 = [5, 8, 1, 7, 2, 3, 9, 11, 4, 6, 10, 0]


def _seed(epoch, run_seed=0):
    return randomness.seed_for(run_seed, randomness.ORDER, epoch)


def _permutation(num_positions, seed):
    positions = tf.range(num_positions, dtype=tf.int64)
    return order.shuffled(positions, num_positions, seed).numpy()


class ShuffledTest(tf.test.TestCase, parameterized.TestCase):
    def test_the_order_is_the_recorded_one(self):
        # Another TensorFlow with another permutation would break the resuming
        # of runs: this must then be said in the changelog.
        self.assertAllEqual(_permutation(12, _seed(0)), GOLDEN_EPOCH_0)
        self.assertAllEqual(_permutation(12, _seed(1)), GOLDEN_EPOCH_1)

    @parameterized.parameters(1, 2, 3, 20, 1001)
    def test_every_position_comes_once(self, num_positions):
        got = _permutation(num_positions, _seed(2))
        self.assertAllEqual(np.sort(got), np.arange(num_positions))

    def test_a_single_position_gives_the_same_as_the_whole_range(self):
        whole = _permutation(20, _seed(3))
        for position in range(20):
            one = order.shuffled(tf.constant(position, tf.int64), 20, _seed(3))
            self.assertEqual(one, whole[position])

    def test_every_epoch_and_every_run_has_its_own_order(self):
        orders = [
            tuple(_permutation(50, _seed(epoch, run_seed)))
            for epoch in range(3)
            for run_seed in range(3)
        ]
        self.assertLen(set(orders), 9)


class ShuffledInWindowsTest(tf.test.TestCase):
    def test_elements_move_within_windows_only(self):
        elements = tf.data.Dataset.range(2500).map(lambda i: {"index": i})
        got = [
            element["index"]
            for element in order.shuffled_in_windows(
                elements, _seed(0)
            ).as_numpy_iterator()
        ]
        for start, stop in ((0, 1024), (1024, 2048), (2048, 2500)):
            self.assertAllEqual(np.sort(got[start:stop]), range(start, stop))
        moved = np.array(got[:1024]), np.array(got[1024:2048]) - 1024
        self.assertNotAllEqual(moved[0], moved[1])
        self.assertNotAllEqual(moved[0], np.arange(1024))

    def test_the_global_seed_of_tensorflow_changes_nothing(self):
        elements = tf.data.Dataset.range(60).map(lambda i: {"index": i})
        orders = []
        for global_seed in (1, 2):
            tf.random.set_seed(global_seed)
            shuffled = order.shuffled_in_windows(elements, _seed(5))
            orders.append([int(element["index"]) for element in shuffled])
        self.assertEqual(orders[0], orders[1])


if __name__ == "__main__":
    tf.test.main()

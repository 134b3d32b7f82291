"""Tests for tf_simmim.masking.hidden_cells."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from tf_simmim import masking

B, GRID = 3, (2, 4)


class HiddenCellsTest(tf.test.TestCase, parameterized.TestCase):
    def test_equals_a_list_worked_by_hand(self):
        mask = np.array([[[0, 1, 0], [1, 0, 1]], [[0, 0, 0], [0, 1, 0]]])
        cells, is_hidden, is_complete = masking.hidden_cells(mask, 1, 4)
        self.assertAllEqual(cells, [[1, 3, 5, 0], [4, 0, 1, 2]])
        self.assertAllEqual(is_hidden, [[1, 1, 1, 0], [1, 0, 0, 0]])
        self.assertTrue(is_complete)
        self.assertEqual((cells.dtype, is_hidden.dtype), (tf.int32, tf.int32))

    @given(st.data())
    @settings(deadline=None, max_examples=30)
    def test_hidden_cells_come_first_and_in_order(self, data):
        flat = st.lists(st.booleans(), min_size=8, max_size=8)
        hidden = np.array(data.draw(st.lists(flat, min_size=B, max_size=B)))
        size = data.draw(st.sampled_from([1, 2]))
        number = data.draw(st.integers(1, 8))
        mask = hidden.reshape(B, *GRID).repeat(size, 1).repeat(size, 2)
        cells, is_hidden, complete = masking.hidden_cells(mask, size, number)
        self.assertEqual(complete, hidden.sum(axis=1).max() <= number)
        for row, listed, flags in zip(hidden, cells, is_hidden, strict=True):
            want = np.flatnonzero(row)[:number]
            self.assertAllEqual(listed[: len(want)], want)
            self.assertLen(set(listed.numpy()), number)
            self.assertAllEqual(flags, row[listed.numpy()])

    @parameterized.parameters(np.int64, np.float32, bool)
    def test_a_cell_hidden_in_part_makes_the_list_incomplete(self, dtype):
        mask = np.zeros([B, 4, 8], dtype)
        mask[1, 2:, 4:6] = 1
        *_, is_complete = masking.hidden_cells(mask, 2, 5)
        self.assertTrue(is_complete)
        mask[1, 3, 5] = 0
        *_, is_complete = masking.hidden_cells(mask, 2, 5)
        self.assertFalse(is_complete)


if __name__ == "__main__":
    tf.test.main()

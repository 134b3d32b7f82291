"""Tests for tf_simmim.boxes.offsets."""

import math

import hypothesis
import numpy as np
import tensorflow as tf
from hypothesis import strategies

from tf_simmim import boxes

SIZE = (48, 80)


class OffsetsTest(tf.test.TestCase):
    def test_offsets_are_those_worked_out_by_hand(self):
        anchors = tf.constant([[10.0, 20, 30, 60]])  # 20 high, 40 wide
        box = tf.constant([[12.0, 20, 52, 40]])  # 40 high, 20 wide
        want = [
            (32 - 20) / 20 / 0.1,
            (30 - 40) / 40 / 0.1,
            math.log(2) / 0.2,
            math.log(0.5) / 0.2,
        ]
        self.assertAllClose(boxes.encode_boxes(box, anchors), [want])
        # Cut off at the lower border, 48.
        decoded = boxes.decode_boxes(tf.constant([want]), anchors, SIZE)
        self.assertAllClose(decoded, [[12, 20, 48, 40]])
        # An array stays as it is.
        given = np.array([want], np.float32)
        boxes.decode_boxes(given, anchors, SIZE)
        self.assertAllClose(given, [want])

    def test_an_anchor_itself_has_no_offset(self):
        anchors = boxes.create_anchors(SIZE, [8, 16])
        self.assertAllClose(
            boxes.encode_boxes(anchors, anchors), np.zeros(anchors.shape)
        )

    @hypothesis.settings(deadline=None, max_examples=30)
    @hypothesis.given(
        corners=strategies.lists(
            strategies.tuples(
                strategies.floats(0, 40, width=32),
                strategies.floats(0, 70, width=32),
                strategies.floats(1, 8, width=32),
                strategies.floats(1, 10, width=32),
            ),
            min_size=1,
            max_size=5,
        )
    )
    def test_decoding_undoes_encoding(self, corners):
        corners = np.array(corners, np.float32)
        box = np.concatenate(
            [corners[:, :2], corners[:, :2] + corners[:, 2:]], axis=1
        )
        anchors = boxes.create_anchors(SIZE, [8])[: len(box)]
        offsets = boxes.encode_boxes(box, anchors)
        decoded = boxes.decode_boxes(offsets, anchors, SIZE)
        self.assertAllClose(decoded, box, atol=1e-3)

    def test_no_offset_gives_an_infinite_box(self):
        anchors = boxes.create_anchors(SIZE, [8])[:3]
        offsets = tf.constant([[9e9] * 4, [-9e9] * 4, [0.0, 0, 999, -999]])
        decoded = boxes.decode_boxes(offsets, anchors, SIZE)
        self.assertAllInRange(decoded, 0, 80)

    def test_a_box_without_an_area_has_finite_offsets(self):
        anchors = boxes.create_anchors(SIZE, [8])
        offsets = boxes.encode_boxes(-tf.ones([len(anchors), 4]), anchors)
        self.assertAllInRange(offsets, -1e3, 1e3)


if __name__ == "__main__":
    tf.test.main()

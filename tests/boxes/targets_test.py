"""Tests for tf_simmim.boxes.targets."""

import numpy as np
import tensorflow as tf

from tf_simmim import boxes

SIZE, STRIDES = (48, 80), [4, 8, 16]
# Three images: with two boxes, with one in the second place, with none.
BOXES = np.array(
    [
        [[3, 5, 17, 25], [20, 40, 47, 71], [-1, -1, -1, -1]],
        [[-1, -1, -1, -1], [10, 8, 26, 24], [-1, -1, -1, -1]],
        [[-1, -1, -1, -1]] * 3,
    ],
    np.float32,
)
CLASSES = np.array([[2, 0, -1], [-1, 1, -1], [-1, -1, -1]])


def overlap(a, b):
    """Intersection over union of two boxes, by hand."""
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    both = np.prod(np.maximum(sides, 0))
    return both / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - both)


class AnchorTargetsTest(tf.test.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.anchors = boxes.create_anchors(SIZE, STRIDES)
        cls.targets = boxes.AnchorTargets(cls.anchors)
        cls.found, cls.classes = (
            each.numpy() for each in cls.targets(BOXES, CLASSES)
        )

    def test_each_anchor_learns_what_it_overlaps_most(self):
        for image in range(3):
            for i in range(0, len(self.anchors), 7):
                overlaps = [
                    overlap(self.anchors[i], box) if label >= 0 else 0.0
                    for box, label in zip(
                        BOXES[image], CLASSES[image], strict=True
                    )
                ]
                best = int(np.argmax(overlaps))
                want = boxes.IGNORED
                if overlaps[best] >= 0.5:
                    want = CLASSES[image, best]
                elif overlaps[best] < 0.4:
                    want = boxes.BACKGROUND
                self.assertEqual(self.classes[image, i], want)

    def test_there_are_anchors_of_every_kind_where_there_are_boxes(self):
        kinds = [set(np.unique(row)) for row in self.classes]
        self.assertEqual(kinds, [{-2, -1, 0, 2}, {-2, -1, 1}, {-1}])

    def test_offsets_lead_to_the_box_of_that_class(self):
        decoded = boxes.decode_boxes(self.found, self.anchors, SIZE).numpy()
        for image, place, label in ((0, 0, 2), (0, 1, 0), (1, 1, 1)):
            its = decoded[image][self.classes[image] == label]
            want = np.broadcast_to(BOXES[image, place], its.shape)
            self.assertAllClose(its, want, atol=1e-3)

    def test_they_are_those_of_keras_cv(self):
        import keras_cv

        encoder = keras_cv.models.retinanet.LabelEncoder(
            "yxyx",
            keras_cv.layers.AnchorGenerator(
                "yxyx",
                sizes=[16.0, 32.0, 64.0],
                scales=[2**x for x in (0, 1 / 3, 2 / 3)],
                aspect_ratios=[0.5, 1.0, 2.0],
                strides=STRIDES,
                clip_boxes=True,
            ),
        )
        wanted, wanted_classes = encoder(
            tf.zeros([3, *SIZE, 3]),
            {"boxes": BOXES, "classes": CLASSES.astype(np.float32)},
        )
        self.assertAllEqual(self.classes, wanted_classes)
        is_object = self.classes >= 0
        self.assertAllClose(
            self.found[is_object], wanted.numpy()[is_object], atol=1e-4
        )

    def test_graph_and_xla_and_few_bits_change_nothing(self):
        tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
        self.addCleanup(tf.keras.mixed_precision.set_global_policy, "float32")
        targets = boxes.AnchorTargets(self.anchors)
        for jit_compile in (False, True):
            run = tf.function(targets, jit_compile=jit_compile)
            found, classes = run(tf.constant(BOXES), tf.constant(CLASSES))
            self.assertAllEqual(classes, self.classes)
            self.assertAllClose(found, self.found, atol=1e-4)


if __name__ == "__main__":
    tf.test.main()

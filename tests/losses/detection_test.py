"""Tests for tf_simmim.losses.detection."""

import numpy as np
import tensorflow as tf

from tf_simmim import losses

B, A, L = 2, 5, 3
# Anchors on objects: 2 and 0. Background, and ignored ones.
CLASSES = np.array([[-1, 2, -2, 0, -1], [-1, -1, -1, -2, -1]], np.int32)


def numbers():
    rng = np.random.default_rng(0)
    box, targets = (
        rng.normal(size=[B, A, 4]).astype(np.float32) for _ in range(2)
    )
    return box, rng.normal(size=[B, A, L]).astype(np.float32), targets


def by_hand(box, logits, targets, count):
    classification = regression = 0.0
    for b, a in np.ndindex(B, A):
        label = CLASSES[b, a]
        if label == -2:
            continue
        for c, logit in enumerate(logits[b, a]):
            p = 1 / (1 + np.exp(-logit))
            if c == label:
                classification -= 0.25 * (1 - p) ** 2 * np.log(p)
            else:
                classification -= 0.75 * p**2 * np.log(1 - p)
        if label >= 0:
            distance = np.abs(box[b, a] - targets[b, a])
            regression += np.where(
                distance < 1, 0.5 * distance**2, distance - 0.5
            ).mean()
    return classification / count, regression / count


class DetectionLossesTest(tf.test.TestCase):
    def test_losses_are_those_worked_out_by_hand(self):
        box, logits, targets = numbers()
        got = losses.detection_losses(box, logits, targets, CLASSES)
        # Two anchors on objects, and one for the image without any.
        self.assertAllClose(got, by_hand(box, logits, targets, 3), rtol=1e-5)

    def test_focal_loss_is_that_of_keras_cv(self):
        box, logits, targets = numbers()
        classes = np.maximum(CLASSES, -1)
        import keras_cv

        focal = keras_cv.losses.FocalLoss(from_logits=True, reduction="sum")
        wanted = focal(tf.one_hot(classes, L), logits)
        got, _ = losses.detection_losses(box, logits, targets, classes)
        self.assertAllClose(got, wanted / 3, rtol=1e-5)
        self.assertEqual(got.dtype, tf.float32)

    def test_what_is_ignored_and_boxes_of_the_background_have_no_gradient(self):
        box, logits, targets = (tf.constant(each) for each in numbers())
        with tf.GradientTape() as tape:
            tape.watch([box, logits])
            loss = tf.add_n(
                losses.detection_losses(box, logits, targets, CLASSES)
            )
        of_box, of_logits = tape.gradient(loss, [box, logits])
        self.assertAllEqual(np.any(of_box != 0, axis=-1), CLASSES >= 0)
        self.assertAllEqual(np.any(of_logits != 0, axis=-1), CLASSES != -2)

    def test_targets_of_the_background_may_be_anything(self):
        box, logits, targets = numbers()
        wanted = losses.detection_losses(box, logits, targets, CLASSES)
        targets[CLASSES < 0] = np.nan
        got = losses.detection_losses(box, logits, targets, CLASSES)
        self.assertAllEqual(got, wanted)

    def test_parts_of_a_batch_add_up_to_the_whole(self):
        whole = losses.detection_losses(*numbers(), CLASSES)
        counts = losses.count_positives(CLASSES[:, np.newaxis])
        self.assertAllEqual(counts, [2, 1])
        parts = [
            losses.detection_losses(
                *(each[b : b + 1] for each in numbers()), CLASSES[b : b + 1]
            )
            for b in range(B)
        ]
        shares = counts / tf.reduce_sum(counts)
        self.assertAllClose(
            np.transpose(parts) @ shares.numpy(),
            whole,
        )

    def test_an_image_without_objects_counts_as_one_of_them(self):
        classes = np.array([[[-1, -1], [0, 4]], [[-2, 3], [-1, -2]]])
        self.assertAllEqual(losses.count_positives(classes), [3, 2])


if __name__ == "__main__":
    tf.test.main()

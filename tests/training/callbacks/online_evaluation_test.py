"""Tests for tf_simmim.training.callbacks.online_evaluation."""

import types

import numpy as np
import pytest
import tensorflow as tf
from absl.testing import parameterized

from tests.training import tiny_simmim
from tf_simmim import evaluation
from tf_simmim import layers
from tf_simmim.training import callbacks

N, M, L = 24, 10, 3
H, W, C = tiny_simmim.H, tiny_simmim.W, tiny_simmim.C


def labelled(num_images, seed, names=range(L)):
    """Images whose class shifts their brightness, in batches of 7."""
    rng = np.random.default_rng(seed)
    labels = np.array(names)[np.arange(num_images) % len(names)]
    images = rng.normal(size=[num_images, H, W, C])
    images += labels[:, np.newaxis, np.newaxis, np.newaxis]
    element = {"image": images.astype(np.float32), "label": labels}
    return tf.data.Dataset.from_tensor_slices(element).batch(7)


class Normalizing(tf.keras.Model):
    """A backbone of one block: batch norm, whose statistics replicas share."""

    image_size, channels, num_blocks = (H, W), C, 1

    def __init__(self):
        super().__init__()
        self.norm = layers.SyncBatchNormalization()
        self.norm.build([None, H, W, C])

    def block_features(self, images, blocks):
        return [self.norm(images, training=False)]


class OnlineEvaluationTest(tf.test.TestCase, parameterized.TestCase):
    def create(self, **options):
        return callbacks.OnlineEvaluation(
            labelled(N, 0),
            labelled(M, 1),
            **{"every_steps": 4, **options},
        )

    def test_numbers_are_those_of_an_evaluation_at_that_step(self):
        model = tiny_simmim.create(0.1)
        online = self.create()
        self.assertEqual(online(model, 3), {})
        for step in (4, 8):  # the weights of that moment, each time
            got = online(model, step)
            images = evaluation.ProbeData(labelled(N, 0), labelled(M, 1))
            split = images.block_features(model.backbone, [0])[0]
            settings = evaluation.ProbeSettings(L, ("knn", "linear"))
            scores = evaluation.probe_features(*split, settings)
            self.assertEqual(
                got,
                {
                    "knn_block_0": scores["knn"].accuracy,
                    "linear_block_0": scores["linear"].accuracy,
                },
            )
            for weight in model.trainable_weights:
                weight.assign(weight * 0.5 + 0.1)

    def test_the_last_step_is_due_wherever_it_lies(self):
        online = self.create(last_step=7)
        self.assertNotEmpty(online(tiny_simmim.create(0.1), 7))

    def test_features_that_overflow_are_left_out(self):
        model = tiny_simmim.create(0.1)
        for weight in model.backbone.trainable_weights:
            weight.assign(weight * np.nan)
        with self.assertLogs(level="WARNING") as logs:
            self.assertEqual(self.create()(model, 4), {})
        self.assertIn("block 0 are not all finite at step 4", str(logs.output))

    def test_few_training_images_have_fewer_neighbours(self):
        online = self.create(knn_k=1000)
        self.assertIn("knn_block_0", online(tiny_simmim.create(0.1), 4))

    def test_images_of_a_class_without_training_images_count_as_wrong(self):
        model = tiny_simmim.create(0.1)
        judge = callbacks.OnlineEvaluation
        # Class 1 has no training image; of the ten others it has three.
        train = labelled(N, 0, [0, 2])
        online = judge(train, labelled(M, 1), every_steps=4)
        with self.assertLogs("absl", "WARNING") as logs:
            got = online(model, 4)
            self.assertEqual(online(model, 8), got)
        self.assertLen(logs.output, 1)
        self.assertIn("3 of the 10 held-out images", logs.output[0])

        images = evaluation.ProbeData(train, labelled(M, 1))
        split = images.block_features(model.backbone, [0])[0]
        features, labels, test, test_labels = split
        predictions = evaluation.knn_predictions(*split[:3], L)
        want = np.mean(predictions == test_labels)
        self.assertEqual(got["knn_block_0"], want)
        probe = evaluation.RidgeProbe(features, labels // 2, 2)
        predictions = 2 * probe.predict(test, probe.best_strength())
        want = np.mean(predictions == test_labels)
        self.assertEqual(got["linear_block_0"], want)
        self.assertBetween(want, 0.1, 0.7)

    def test_it_does_not_matter_what_numbers_classes_have(self):
        model = tiny_simmim.create(0.1)
        others = [
            part.map(
                lambda e: {**e, "label": tf.gather([-1, 7, 99], e["label"])}
            )
            for part in (labelled(N, 0), labelled(M, 1))
        ]
        online = callbacks.OnlineEvaluation(*others, every_steps=4)
        with self.assertNoLogs("absl", "WARNING"):
            got = online(model, 4)
        self.assertEqual(got, self.create()(model, 4))

    @parameterized.parameters(
        (1, [0]), (3, [0, 1, 2]), (4, [0, 1, 2, 3]), (12, [2, 5, 8, 11])
    )
    def test_blocks_are_spread_and_end_with_the_last(self, num_blocks, want):
        self.assertEqual(callbacks.spread_blocks(num_blocks), want)

    @pytest.mark.slow
    def test_training_is_the_same_bit_for_bit_with_it(self):
        model = tiny_simmim.create(0.01)
        batches = tiny_simmim.images(4, seed=3)

        def variables():
            metrics = [v for m in model.metrics for v in m.variables]
            return [*model.weights, *model.optimizer.variables, *metrics]

        def train(online):
            for variable, value in zip(variables(), before, strict=True):
                variable.assign(value)
            for step, batch in enumerate(batches, start=1):
                model.train_on_batch(batch, reset_metrics=False)
                online(model, step)
            return [variable.numpy() for variable in variables()]

        model.train_on_batch(batches[0])  # makes all variables
        before = [variable.numpy() for variable in variables()]
        plain = train(lambda model, step: {})
        judged = train(self.create(every_steps=1))
        for one, other in zip(plain, judged, strict=True):
            self.assertAllEqual(one, other)
        changed = [
            not np.array_equal(one, start)
            for one, start in zip(plain, before, strict=True)
        ]
        self.assertGreater(sum(changed), len(model.weights))

    def test_replicas_take_part_in_reading_what_they_share(self):
        strategy = tf.distribute.MirroredStrategy(
            ["CPU:0", "CPU:1"],
            cross_device_ops=tf.distribute.ReductionToOneDevice(),
        )
        with strategy.scope():
            backbone = Normalizing()
            backbone.norm.moving_mean.assign([1.0, 2.0, 3.0])
            online = self.create(knn_k=1)
            scores = online(types.SimpleNamespace(backbone=backbone), 4)
        means = [
            np.concatenate([e["image"].numpy().mean((1, 2)) for e in part])
            for part in (labelled(N, 0), labelled(M, 1))
        ]
        train, test = ((mean - [1.0, 2.0, 3.0]) for mean in means)
        want = evaluation.knn_accuracy(
            train, np.arange(N) % L, test, np.arange(M) % L, L, k=1
        )
        self.assertEqual(scores["knn_block_0"], want)

    def test_impossible_arguments_are_refused(self):
        with self.assertRaisesRegex(ValueError, "`every_steps` must.*: 0"):
            self.create(every_steps=0)
        with self.assertRaisesRegex(ValueError, r"in \[0, 1\).*\(0, 1\)"):
            self.create(blocks=[0, 1])(tiny_simmim.create(0.1), 4)
        train, test = labelled(N, 0), labelled(M, 1)
        bare = test.map(lambda element: {"image": element["image"]})
        for name, parts in (("train", (bare, test)), ("test", (train, bare))):
            with self.assertRaisesRegex(ValueError, f"`{name}` .*`label`"):
                callbacks.OnlineEvaluation(*parts, every_steps=4)


if __name__ == "__main__":
    tf.test.main()

"""Tests for tf_simmim.training.callbacks.collapse_alarm."""

import json
from pathlib import Path

import numpy as np
import tensorflow as tf
from absl import logging
from absl.testing import parameterized

from tf_simmim import losses
from tf_simmim.training.callbacks import collapse_alarm


class SingleColourLossTest(tf.test.TestCase):
    def test_value_by_hand(self):
        # Two channels; hidden are the left patch of the first image (values
        # 0 and 10, half each) and the right one of the second (values 2, 20).
        images = np.full([2, 2, 4, 2], 99.0)
        images[0, 0, :2] = images[0, 1, :2] = [0.0, 10.0]
        images[1, :, 2:] = [2.0, 20.0]
        elements = {
            "image": images,
            "patch_mask": np.array([[[1, 0]], [[0, 1]]]),
        }
        # Median colour (1, 15): off by 1 in the first channel, 5 in the
        # second.
        self.assertAllClose(collapse_alarm.single_colour_loss(elements), 3.0)

    def test_it_is_the_loss_of_a_model_that_predicts_the_median_colour(self):
        generator = np.random.default_rng(1)
        images = generator.normal(size=[3, 8, 12, 3]).astype(np.float32)
        mask = np.array([[[1, 0, 1], [0, 1, 0]]] * 3)
        hidden = np.kron(mask, np.ones([1, 4, 4]))[..., np.newaxis]
        median = np.median(images[hidden[..., 0] == 1], axis=0)
        prediction = losses.to_patches(
            tf.broadcast_to(tf.cast(median, tf.float32), images.shape), 4
        )
        want = losses.masked_reconstruction_loss(
            losses.to_patches(images, 4), prediction, mask, 4, 4, "l1"
        )
        got = collapse_alarm.single_colour_loss(
            {"image": images, "patch_mask": mask}
        )
        self.assertAllClose(got, want)

    def test_no_other_constant_is_better(self):
        # Skewed, as digits on black are: the mean would be beaten.
        images = np.random.default_rng(2).gamma(0.3, size=[4, 8, 12, 1])
        mask = np.ones([4, 2, 3], np.int32)
        level = collapse_alarm.single_colour_loss(
            {"image": images, "patch_mask": mask}
        )
        for constant in np.linspace(0, 2, 41):
            error = np.abs(images - constant).mean()
            self.assertLessEqual(level, error + 1e-12)
        self.assertLess(level, 0.95 * np.abs(images - images.mean()).mean())

    def test_mask_that_hides_nothing_is_refused(self):
        elements = {
            "image": np.zeros([2, 4, 6, 3]),
            "patch_mask": np.zeros([2, 2, 3], np.int32),
        }
        with self.assertRaisesRegex(ValueError, "must have hidden patches"):
            collapse_alarm.single_colour_loss(elements)


class CollapseAlarmTest(tf.test.TestCase, parameterized.TestCase):
    def num_warnings(self, interval_losses, **options):
        alarm = collapse_alarm.CollapseAlarm(
            level=0.5, every_steps=10, patience_steps=50, **options
        )
        with self.assertLogs("absl", "WARNING") as logs:
            logging.warning("one line, so that there is one")
            for i, loss in enumerate(interval_losses, start=1):
                alarm.at_step(10 * i, {"loss": loss})
        return len(logs.output) - 1

    @parameterized.parameters(0.49, 0.5, 3.0)
    def test_loss_that_stays_at_the_level_or_above_fires_once(self, loss):
        self.assertEqual(self.num_warnings([loss] * 4), 0)
        self.assertEqual(self.num_warnings([loss] * 5), 1)
        self.assertEqual(self.num_warnings([loss] * 20), 1)

    def test_start_of_training_is_not_an_alarm(self):
        losses = [0.9, 0.5, 0.49, 0.48, 0.45, 0.4, 0.3]
        self.assertEqual(self.num_warnings(losses), 0)

    def test_one_good_interval_starts_the_count_again(self):
        losses = [0.5] * 4 + [0.4] + [0.5] * 4
        self.assertEqual(self.num_warnings(losses), 0)

    def test_collapse_after_learning_fires(self):
        self.assertEqual(self.num_warnings([0.4] * 9 + [0.5] * 5), 1)

    def test_tolerance_widens_the_level(self):
        self.assertEqual(self.num_warnings([0.46] * 9), 0)
        self.assertEqual(self.num_warnings([0.46] * 9, tolerance=0.1), 1)

    def test_loss_that_is_not_a_number_is_not_a_collapse(self):
        self.assertEqual(self.num_warnings([np.nan] * 9), 0)

    @parameterized.parameters((3, 1), (4, 1), (5, 0), (7, 0))
    def test_a_new_process_goes_on_waiting_and_does_not_repeat(
        self, intervals_before, num_warnings
    ):
        file = Path(self.get_temp_dir()) / f"{intervals_before}.jsonl"
        rows = [{"step": 5, "loss": 0.1}]  # a run's end that was moved
        rows += [
            {"step": 10 * i, "loss": 0.5}
            for i in range(1, intervals_before + 3)
        ]
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        alarm = collapse_alarm.CollapseAlarm(0.5, 10, 50, metrics_file=file)
        model = tf.keras.Sequential()
        model.compile("sgd")
        # Rows past the checkpoint do not count.
        model.optimizer.iterations.assign(10 * intervals_before)
        alarm.set_model(model)
        alarm.on_train_begin()
        with self.assertLogs("absl", "WARNING") as logs:
            logging.warning("one line, so that there is one")
            for i in range(intervals_before + 1, intervals_before + 4):
                alarm.at_step(10 * i, {"loss": 0.5})
        self.assertLen(logs.output, 1 + num_warnings)

    @parameterized.parameters((0, 1), (20, 0))
    def test_rows_of_another_level_do_not_count(self, first_step, num_warnings):
        file = Path(self.get_temp_dir()) / f"{first_step}.jsonl"
        rows = [{"step": 10 * i, "loss": 0.5} for i in range(1, 5)]
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        alarm = collapse_alarm.CollapseAlarm(
            0.5, 10, 50, metrics_file=file, first_step=first_step
        )
        model = tf.keras.Sequential()
        model.compile("sgd")
        model.optimizer.iterations.assign(40)
        alarm.set_model(model)
        alarm.on_train_begin()
        with self.assertLogs("absl", "WARNING") as logs:
            logging.warning("one line, so that there is one")
            alarm.at_step(50, {"loss": 0.5})
        self.assertLen(logs.output, 1 + num_warnings)

    def test_a_missing_number_in_the_file_starts_the_count_again(self):
        file = Path(self.get_temp_dir()) / "null.jsonl"
        losses = [0.5, 0.5, 0.5, None]
        file.write_text(
            "".join(
                json.dumps({"step": 10 * i, "loss": loss}) + "\n"
                for i, loss in enumerate(losses, start=1)
            )
        )
        alarm = collapse_alarm.CollapseAlarm(0.5, 10, 50, metrics_file=file)
        model = tf.keras.Sequential()
        model.compile("sgd")
        model.optimizer.iterations.assign(40)
        alarm.set_model(model)
        alarm.on_train_begin()
        with self.assertLogs("absl", "WARNING") as logs:
            logging.warning("one line, so that there is one")
            for i in range(5, 9):
                alarm.at_step(10 * i, {"loss": 0.5})
        self.assertLen(logs.output, 1)

    def test_level_that_is_not_positive_is_refused(self):
        with self.assertRaisesRegex(ValueError, "`level`.*: 0"):
            collapse_alarm.CollapseAlarm(0, 10, 50)


if __name__ == "__main__":
    tf.test.main()

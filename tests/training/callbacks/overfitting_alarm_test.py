"""Tests for tf_simmim.training.callbacks.overfitting_alarm."""

import json
from pathlib import Path

import numpy as np
import tensorflow as tf
from absl import logging
from absl.testing import parameterized

from tf_simmim.training import callbacks

# Held-out losses: falling, and then 10 % above the best for three times.
RISES = [0.9, 0.5, 0.4, 0.44, 0.45, 0.46, 0.5]
FALLS = [0.9, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1]


class OverfittingAlarmTest(tf.test.TestCase, parameterized.TestCase):
    def warnings(self, held_out, training=FALLS, alarm=None, start=0):
        """Returns the warnings of measurements 10 steps apart."""
        alarm = alarm or callbacks.OverfittingAlarm(every_steps=10)
        with self.assertLogs("absl", "WARNING") as logs:
            logging.warning("one line, so that there is one")
            pairs = zip(held_out, training, strict=False)
            for i, (value, loss) in enumerate(pairs, start=1 + start):
                row = {"loss": loss}
                if value is not None:
                    row["validation_loss"] = value
                alarm.at_step(10 * i, row)
        return logs.output[1:]

    def test_rising_held_out_loss_fires_once_and_names_the_numbers(self):
        self.assertEmpty(self.warnings(RISES[:5]))
        (warning,) = self.warnings(RISES)
        self.assertIn(
            "Step 60: the held-out reconstruction loss has risen from 0.4000 "
            "at step 30 to 0.4600, while the training loss fell from 0.5000 "
            "to 0.2000",
            warning,
        )
        for advice in ("more images", "--mask_ratio", "--train_epochs"):
            self.assertIn(advice, warning)

    def test_a_run_that_goes_well_does_not_fire(self):
        self.assertEmpty(self.warnings([0.9, 0.7, 0.71, 0.6, 0.61, 0.59, 0.6]))

    def test_a_training_loss_that_rises_as_well_is_no_memory(self):
        worse = [0.9, 0.6, 0.5, 0.6, 0.7, 0.8, 0.9]
        self.assertEmpty(self.warnings(RISES, worse))

    def test_a_rise_within_the_tolerance_does_not_fire(self):
        rise = [0.9, 0.5, 0.400, 0.411, 0.411, 0.411, 0.411]
        self.assertEmpty(self.warnings(rise))
        strict = callbacks.OverfittingAlarm(10, tolerance=0.02)
        self.assertLen(self.warnings(rise, alarm=strict), 1)

    def test_one_good_measurement_starts_the_count_again(self):
        held_out = [0.5, 0.4, 0.44, 0.44, 0.405, 0.44, 0.44]
        self.assertEmpty(self.warnings(held_out))

    def test_steps_without_a_measurement_do_not_count(self):
        held_out = [0.9, 0.5, 0.4, None, 0.45, None, 0.46]
        self.assertEmpty(self.warnings(held_out))
        longer = [*held_out, None, 0.47]
        training = [*FALLS, 0.1, 0.1]
        (warning,) = self.warnings(longer, training)
        self.assertIn("Step 90", warning)

    @parameterized.parameters(np.nan, np.inf)
    def test_values_that_are_no_numbers_do_not_count(self, value):
        self.assertEmpty(self.warnings([value] + RISES[:5]))
        self.assertLen(self.warnings([value] + RISES, [1.0] + FALLS), 1)

    @parameterized.parameters((4, 1), (5, 1), (6, 0), (7, 0))
    def test_a_new_process_goes_on_counting_and_does_not_repeat(
        self, rows_before, num_warnings
    ):
        file = Path(self.get_temp_dir()) / f"{rows_before}.jsonl"
        rows = [
            {"step": 10 * i, "loss": loss, "validation_loss": value}
            for i, (value, loss) in enumerate(
                zip(RISES, FALLS, strict=True), start=1
            )
        ]
        # A run's end that was moved, and one without a measurement.
        rows.insert(0, {"step": 5, "loss": 9.0, "validation_loss": 0.001})
        rows.insert(0, {"step": 2, "loss": None})
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        alarm = callbacks.OverfittingAlarm(10, metrics_file=file)
        model = tf.keras.Sequential()
        model.compile("sgd")
        # Rows past the checkpoint do not count.
        model.optimizer.iterations.assign(10 * rows_before)
        alarm.set_model(model)
        alarm.on_train_begin()
        got = self.warnings(
            RISES[rows_before:] + [0.5],
            FALLS[rows_before:] + [0.1],
            alarm,
            rows_before,
        )
        self.assertLen(got, num_warnings)

    def test_rows_of_another_phase_do_not_count(self):
        file = Path(self.get_temp_dir()) / "phase.jsonl"
        row = {"step": 10, "loss": 0.95, "validation_loss": 0.01}
        file.write_text(json.dumps(row) + "\n")
        for first_step, num_warnings in ((0, 1), (10, 0)):
            alarm = callbacks.OverfittingAlarm(
                10, metrics_file=file, first_step=first_step
            )
            model = tf.keras.Sequential()
            model.compile("sgd")
            model.optimizer.iterations.assign(10)
            alarm.set_model(model)
            alarm.on_train_begin()
            got = self.warnings(RISES[:4], FALLS, alarm, start=1)
            self.assertLen(got, num_warnings)

    def test_impossible_arguments_are_refused(self):
        for options in ({"tolerance": -0.1}, {"patience": 0}):
            with self.assertRaisesRegex(ValueError, "`patience` at least 1"):
                callbacks.OverfittingAlarm(10, **options)


if __name__ == "__main__":
    tf.test.main()

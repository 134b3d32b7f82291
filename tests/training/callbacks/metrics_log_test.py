"""Tests for tf_simmim.training.callbacks.metrics_log.

Exact resumption is covered by resume_test.
"""

import json
from pathlib import Path

import numpy as np
import tensorflow as tf

from tf_simmim.training.callbacks import metrics_log


class CountingModel(tf.keras.Model):
    """Its loss at step t is t + 1, and 100 in evaluation."""

    def __init__(self):
        super().__init__()
        self.loss_metric = tf.keras.metrics.Mean(name="loss")
        self.weight = self.add_weight(
            name="weight", shape=[], initializer="zeros"
        )

    @property
    def metrics(self):
        return [self.loss_metric]

    def train_step(self, data):
        self.optimizer.apply_gradients([(tf.constant(1.0), self.weight)])
        self.loss_metric.update_state(self.optimizer.iterations)
        return {"loss": self.loss_metric.result()}

    def test_step(self, data):
        self.loss_metric.update_state(100.0)
        return {"loss": self.loss_metric.result()}


class MetricsLogTest(tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.directory = Path(self.get_temp_dir())
        self.file = self.directory / "metrics.jsonl"
        self.model = CountingModel()
        self.model.compile("sgd")

    def fit(self, num_steps=7, later=(), **options):
        log = metrics_log.MetricsLog(
            self.file,
            every_steps=3,
            last_step=7,
            images_per_step=2,
            images_per_epoch=5,
            learning_rate_fn=lambda step: 0.5**step,
            **options,
        )
        return self.model.fit(
            np.zeros([num_steps * 2, 3]),
            batch_size=2,
            verbose=0,
            callbacks=[log, *later],
        )

    def rows(self):
        return [json.loads(line) for line in self.file.read_text().splitlines()]

    def test_each_row_is_the_mean_of_its_own_interval(self):
        self.fit()
        rows = self.rows()
        self.assertEqual([row["step"] for row in rows], [3, 6, 7])
        self.assertEqual([row["loss"] for row in rows], [2.0, 5.0, 7.0])
        self.assertAllClose([r["epoch"] for r in rows], [1.2, 2.4, 2.8])

    def test_learning_rate_is_that_of_the_latest_update(self):
        self.fit()
        rates = [row["learning_rate"] for row in self.rows()]
        self.assertEqual(rates, [0.5**2, 0.5**5, 0.5**6])

    def test_speed_and_time_are_positive_and_time_grows(self):
        self.fit()
        rows = self.rows()
        self.assertTrue(all(row["images_per_second"] > 0 for row in rows))
        seconds = [row["seconds"] for row in rows]
        self.assertGreater(seconds[0], 0)
        self.assertEqual(seconds, sorted(seconds))

    def test_validation_is_added_and_leaves_training_metrics_alone(self):
        validation = tf.data.Dataset.from_tensors(np.zeros([2, 3]))
        history = self.fit(validation=validation, validation_every_steps=6)
        rows = self.rows()
        self.assertEqual([row["loss"] for row in rows], [2.0, 5.0, 7.0])
        self.assertEqual(
            [row.get("validation_loss") for row in rows], [None, 100.0, 100.0]
        )
        self.assertIn("loss", history.history)  # that of `fit`

    def test_what_is_measured_is_in_the_row_and_for_later_callbacks(self):
        seen = []

        class Later(tf.keras.callbacks.Callback):
            def on_train_batch_end(self, batch, logs=None):
                seen.append(sorted(set(logs) - {"loss"}))

        def measure(model, step):
            self.assertIs(model, self.model)
            # The row's metrics have been read and reset.
            self.assertEqual(model.loss_metric.count, step == 7)
            return {} if step == 3 else {"knn_block_0": step / 10}

        self.fit(
            validation=tf.data.Dataset.from_tensors(np.zeros([2, 3])),
            online_evaluation=measure,
            later=[Later()],
        )
        rows = self.rows()
        self.assertEqual(
            [row.get("knn_block_0") for row in rows], [None, 0.6, 0.7]
        )
        self.assertEqual([row["loss"] for row in rows], [2.0, 5.0, 7.0])
        self.assertEqual(
            [names for names in seen if names],
            [["knn_block_0"], ["knn_block_0", "validation_loss"]],
        )

    def test_without_an_interval_validation_runs_at_the_last_step(self):
        self.fit(validation=tf.data.Dataset.from_tensors(np.zeros([2, 3])))
        self.assertEqual(
            ["validation_loss" in row for row in self.rows()],
            [False, False, True],
        )

    def test_run_that_stops_early_gets_no_row_there(self):
        self.fit(num_steps=5)
        self.assertEqual([row["step"] for row in self.rows()], [3])

    def test_time_goes_on_where_an_earlier_process_left_it(self):
        self.model.optimizer.iterations.assign(5)
        self.file.write_text(
            '{"step": 3, "seconds": 1000.0}\n{"step": 6, "seconds": 2000.0}\n'
        )
        self.fit(num_steps=2)
        rows = self.rows()
        self.assertEqual([row["step"] for row in rows], [3, 6, 7])
        self.assertBetween(rows[1]["seconds"], 1000.0, 1999.0)
        self.assertIsNone(rows[1]["images_per_second"])  # it compiled then

    def test_tensorboard_gets_the_same_numbers(self):
        writer = tf.summary.create_file_writer(str(self.directory / "tb"))
        self.fit(summary_writer=writer)
        writer.close()
        (file,) = (self.directory / "tb").iterdir()
        losses = {
            event.step: float(tf.make_ndarray(value.tensor))
            for record in tf.data.TFRecordDataset(str(file))
            for event in [tf.compat.v1.Event.FromString(record.numpy())]
            for value in event.summary.value
            if value.tag == "loss"
        }
        self.assertEqual(losses, {3: 2.0, 6: 5.0, 7: 7.0})

    def fail_in_validation_at(self, step, **options):
        """Trains until the evaluation at a step runs out of memory."""
        evaluate = self.model.evaluate

        def failing(*args, **kwargs):
            result = evaluate(*args, **kwargs)
            if int(self.model.optimizer.iterations) == step:
                raise MemoryError
            return result

        self.model.evaluate = failing
        with self.assertRaises(MemoryError):
            self.fit(
                validation=tf.data.Dataset.from_tensors(np.zeros([2, 3])),
                validation_every_steps=3,
                **options,
            )
        self.model.evaluate = evaluate

    def test_row_owed_after_an_error_is_made_when_training_goes_on(self):
        self.fail_in_validation_at(6)
        self.assertEqual([row["step"] for row in self.rows()], [3])
        # What a checkpoint would hold: the sum and count of steps 4 to 6.
        held = [v.numpy() for v in self.model.loss_metric.variables]
        self.assertEqual(held, [15.0, 3.0])

        class PutBack(tf.keras.callbacks.Callback):
            def on_epoch_begin(self, epoch, logs=None):
                self.model.loss_metric.set_weights(held)

        self.fit(
            num_steps=1,
            validation=tf.data.Dataset.from_tensors(np.zeros([2, 3])),
            validation_every_steps=3,
            later=[PutBack()],
        )
        rows = self.rows()
        self.assertEqual([row["step"] for row in rows], [3, 6, 7])
        self.assertEqual([row["loss"] for row in rows], [2.0, 5.0, 7.0])
        self.assertEqual([row["validation_loss"] for row in rows], [100.0] * 3)

    def test_row_of_the_last_step_is_there_without_what_failed(self):
        self.fail_in_validation_at(7)
        rows = self.rows()
        self.assertEqual([row["step"] for row in rows], [3, 6, 7])
        self.assertEqual(rows[-1]["loss"], 7.0)
        self.assertNotIn("validation_loss", rows[-1])

    def test_row_is_not_made_twice_when_fit_is_called_again(self):
        self.fit(num_steps=6)
        self.model.evaluate(np.zeros([2, 3]), verbose=0)  # leaves its sums
        self.fit(num_steps=1)
        self.assertEqual([row["step"] for row in self.rows()], [3, 6, 7])

    def test_an_evaluation_that_fails_is_missed_in_its_row_alone(self):
        def measure(model, step):
            if step == 3:
                raise OSError(24, "Too many open files")
            return {"knn_block_0": step / 10}

        with self.assertLogs("absl", "ERROR") as logs:
            self.fit(online_evaluation=measure)
        self.assertLen(logs.output, 1)
        self.assertIn("the evaluation of step 3 (Too many", logs.output[0])
        self.assertEqual(
            [row.get("knn_block_0") for row in self.rows()], [None, 0.6, 0.7]
        )

    def test_rows_from_elsewhere_do_not_keep_a_run_from_going_on(self):
        self.model.optimizer.iterations.assign(5)
        self.file.write_text('{"step": 3, "seconds": "?"}\n{"step": 4}\n')
        self.fit(num_steps=2)
        self.assertEqual([row["step"] for row in self.rows()], [3, 4, 6, 7])

    def test_validation_between_rows_is_refused(self):
        with self.assertRaisesRegex(ValueError, "multiple.*: 4 and 3"):
            self.fit(validation_every_steps=4)


if __name__ == "__main__":
    tf.test.main()

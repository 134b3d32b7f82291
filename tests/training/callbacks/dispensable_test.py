"""Tests for tf_simmim.training.callbacks.dispensable."""

import numpy as np
import tensorflow as tf

from tf_simmim.training import callbacks


class Fragile(tf.keras.callbacks.Callback):
    """Fails in every method, after it has noted its arguments."""

    def __init__(self):
        super().__init__()
        self.called = []

    def note(self, *arguments, **options):
        self.called.append([a for a in arguments if isinstance(a, int)])
        raise OSError(5, "Input/output error")

    on_train_begin = on_train_end = note
    on_epoch_begin = on_epoch_end = note
    # As a callback of others may have it, under the older names.
    on_batch_begin = on_batch_end = note


class DispensableTest(tf.test.TestCase):
    def test_fit_goes_on_whatever_fails_and_each_error_is_logged_once(self):
        fragile = Fragile()
        model = tf.keras.Sequential(
            [tf.keras.layers.Dense(1, kernel_initializer="ones")]
        )
        model.compile("sgd", "mse")
        with self.assertLogs("absl", "ERROR") as logs:
            model.fit(
                np.zeros([6, 3]),
                np.zeros([6, 1]),
                batch_size=2,
                verbose=0,
                callbacks=[callbacks.Dispensable(fragile)],
            )
        self.assertEqual(int(model.optimizer.iterations), 3)
        steps = [[0], [0], [1], [1], [2], [2]]
        self.assertEqual(fragile.called, [[], [0], *steps, [0], []])
        self.assertIs(fragile.model, model)
        self.assertEqual(fragile.params["steps"], 3)
        self.assertEqual(
            [line.partition("Not written: ")[2] for line in logs.output],
            ["Fragile (Input/output error)."],
        )


if __name__ == "__main__":
    tf.test.main()

"""Tests for tf_simmim.training.callbacks.weights_and_biases: with real W&B."""

import os
import sys
import tempfile
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import tensorflow as tf

from tf_simmim.training.callbacks import weights_and_biases


class WeightsAndBiasesTest(tf.test.TestCase):
    @pytest.mark.slow
    def test_offline_run_leaves_its_files_in_the_run_directory(self):
        wandb = pytest.importorskip("wandb")
        # Not TensorFlow's: removing that one stumbles over W&B's links.
        parent = tempfile.TemporaryDirectory()
        self.addCleanup(parent.cleanup)
        directory = Path(parent.name) / "my_run"
        directory.mkdir()
        model = tf.keras.Sequential(
            [tf.keras.layers.Dense(1, kernel_initializer="zeros")]
        )
        model.compile("sgd", "mse")
        environment = {"WANDB_MODE": "offline", "WANDB_SILENT": "true"}
        with mock.patch.dict(os.environ, environment):
            callback = weights_and_biases.wandb_callback(
                "a_project", directory, {"mask_ratio": 0.6}, 2, start_step=5
            )
            self.assertEqual(wandb.run.config["mask_ratio"], 0.6)
            self.assertEqual(wandb.run.name, "my_run")
            model.fit(
                np.zeros([8, 3]),
                np.ones([8, 1]),
                batch_size=2,
                verbose=0,
                callbacks=[callback],
            )
            summary = dict(wandb.run.summary)
            first_id = wandb.run.id
            wandb.finish()
            weights_and_biases.wandb_callback("a_project", directory, {}, 2, 9)
            self.assertEqual(wandb.run.id, first_id)
            wandb.finish()
        self.assertGreater(summary["batch/loss"], 0)
        self.assertAllClose(summary["batch/learning_rate"], 0.01)
        self.assertGreaterEqual(summary["batch/batch_step"], 5)
        run = min((directory / "wandb").glob("offline-run-*"))
        (log,) = run.glob("run-*.wandb")
        self.assertGreater(log.stat().st_size, 0)

    def test_missing_package_is_named_with_the_command_to_type(self):
        with mock.patch.dict(sys.modules, {"wandb": None}):
            with self.assertRaisesRegex(ImportError, "pip install wandb"):
                weights_and_biases.wandb_callback(
                    "p", self.get_temp_dir(), {}, 1
                )


if __name__ == "__main__":
    tf.test.main()

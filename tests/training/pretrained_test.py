"""Tests for tf_simmim.training.pretrained, of runs that fine-tune.

Runs that pretrain: tests/integration; hostile ones: tests/security.
"""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tests.run import records
from tf_simmim import backbones
from tf_simmim import models
from tf_simmim import optimization
from tf_simmim import run as run_files
from tf_simmim import training


class LoadPretrainedTest(tf.test.TestCase, parameterized.TestCase):
    def tearDown(self):
        super().tearDown()
        tf.keras.mixed_precision.set_global_policy("float32")

    @parameterized.parameters(
        (None, "float32"), (0.75, "float32"), (0.75, "mixed_float16")
    )
    def test_a_classifier_comes_with_averages_where_it_has_them(
        self, ema_momentum, policy
    ):
        tf.keras.mixed_precision.set_global_policy(policy)
        backbone = backbones.ViT(
            (16, 24), 8, embed_dim=6, depth=1, num_heads=3, final_norm=False
        )
        model = models.Classifier(backbone, 3, class_names=["a", "b", "c"])
        optimizer = optimization.create_optimizer(
            "adamw", model, 1e-2, layer_decay=0.5, ema_momentum=ema_momentum
        )
        model.compile(optimizer, run_eagerly=True)
        images = np.random.default_rng(0).normal(size=[2, 16, 24, 3])
        for _ in range(2):
            model.train_on_batch(images.astype(np.float32), np.array([0, 2]))
        run = training.RunDirectory(self.get_temp_dir())
        run.write_model(model)
        training.CheckpointStore(run.checkpoints).save(
            tf.train.Checkpoint(model=model, optimizer=model.optimizer),
            step=2,
            metadata={"model": model.get_config()},
        )

        copy = training.load_pretrained(run.path)
        self.assertEqual(copy.class_names, ("a", "b", "c"))
        want = optimizer.averages if ema_momentum else []
        want = want or model.trainable_variables
        for got, value in zip(copy.trainable_variables, want, strict=True):
            self.assertAllEqual(got, value)
        if ema_momentum:
            self.assertNotAllEqual(
                copy.head.linear.bias, model.head.linear.bias
            )

    def test_the_model_is_known_by_the_checkpoint_or_the_record(self):
        backbone = backbones.ViT((16, 24), 8, embed_dim=6, depth=1, num_heads=3)
        model = models.Classifier(backbone, 2)
        record = records.record(model=run_files.ModelRecord.of(model))
        for name, metadata, is_known in (
            ("manifest", {"model": model.get_config()}, True),
            ("record", {}, True),
            ("neither", {}, False),
        ):
            run = training.RunDirectory(f"{self.get_temp_dir()}/{name}")
            training.CheckpointStore(run.checkpoints).save(
                tf.train.Checkpoint(model=model), step=2, metadata=metadata
            )
            if name == "record":
                run.write_record(record)
            if not is_known:
                with self.assertRaisesRegex(ValueError, "hold a model.json"):
                    training.load_pretrained(run.path)
                continue
            got = training.load_pretrained(run.path)
            self.assertAllEqual(
                got.head.linear.kernel, model.head.linear.kernel
            )

    def test_a_run_before_its_first_checkpoint_is_told_when_that_comes(self):
        run = training.RunDirectory(self.get_temp_dir() + "/early")
        run.model_file.write_text("{}")
        with self.assertRaisesRegex(
            ValueError, "no checkpoint yet: the first comes at its end"
        ):
            training.load_pretrained(run.path)
        run.write_flags("--checkpoint_every_steps=2200\n--seed=1\n")
        run.metrics_file.write_text('{"step": 7}\n{"step": 1400}\n')
        with self.assertRaisesRegex(
            ValueError,
            "comes at step 2,200, or at its end; .* of step 1,400",
        ):
            training.load_pretrained(run.path)
        # It had one: it was lost, which is for a person to look into.
        run.metrics_file.write_text('{"step": 7}\n{"step": 2200}\n')
        with self.assertRaises(training.NoValidCheckpointError):
            training.load_pretrained(run.path)


if __name__ == "__main__":
    tf.test.main()

"""Tests for tf_simmim.training.callbacks.reconstruction_pictures."""

from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image

from tf_simmim import backbones
from tf_simmim import data
from tf_simmim import models
from tf_simmim import visualization
from tf_simmim.training.callbacks import reconstruction_pictures

B, H, W, C = 2, 16, 24, 3


class ReconstructionPicturesTest(tf.test.TestCase):
    def test_pictures_are_written_at_intervals_and_at_the_end(self):
        directory = Path(self.get_temp_dir())
        backbone = backbones.ViT(
            image_size=(H, W), patch_size=8, embed_dim=6, depth=1, num_heads=3
        )
        model = models.SimMIM(backbone, mask_patch_size=8)
        model.compile("sgd", run_eagerly=True)
        generator = np.random.default_rng(1)
        images = generator.normal(size=[B, H, W, C]).astype(np.float32)
        patch_mask = np.array([[[1, 0, 0], [0, 1, 1]], [[0, 1, 0], [1, 0, 0]]])
        normalization = data.Normalization()
        writer = tf.summary.create_file_writer(str(directory / "tensorboard"))
        pictures = reconstruction_pictures.ReconstructionPictures(
            {"image": images, "patch_mask": patch_mask, "label": [1, 2]},
            normalization,
            directory,
            every_steps=2,
            last_step=3,
            summary_writer=writer,
        )
        stream = tf.data.Dataset.from_tensors(images).repeat()
        model.fit(stream, steps_per_epoch=3, verbose=0, callbacks=[pictures])
        writer.close()

        names = sorted(path.name for path in directory.glob("*.png"))
        self.assertEqual(names, ["step-00000002.png", "step-00000003.png"])
        want = visualization.reconstruction_grid(
            images,
            patch_mask,
            model.reconstruct(images, patch_mask)["reconstruction"],
            normalization,
        )
        picture = np.asarray(Image.open(directory / names[-1]))
        self.assertAllEqual(picture, want)

        (file,) = (directory / "tensorboard").iterdir()
        events = [
            tf.compat.v1.Event.FromString(record.numpy())
            for record in tf.data.TFRecordDataset(str(file))
        ]
        steps = [event.step for event in events if event.summary.value]
        self.assertEqual(steps, [2, 3])
        (value,) = events[-1].summary.value
        png = tf.make_ndarray(value.tensor)[2]
        self.assertAllEqual(tf.io.decode_png(png), want)


if __name__ == "__main__":
    tf.test.main()

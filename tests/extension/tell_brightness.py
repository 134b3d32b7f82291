"""Trains a network to tell how bright an image is: a program from outside."""

import json
import sys

import tensorflow as tf
from absl import flags

from tf_simmim.models import registry
from tf_simmim.models import scalable_model
from tf_simmim.programs import run_callbacks
from tf_simmim.programs import task
from tf_simmim.programs import train
from tf_simmim.programs.flags import backbone_flags
from tf_simmim.programs.flags import input_flags

GAIN = flags.DEFINE_float("gain", 1.0, "Multiply brightness by this factor.")


@tf.keras.saving.register_keras_serializable(package="outside")
class BrightnessTeller(scalable_model.ScalableModel):
    def __init__(self, backbone, gain=1.0, **kwargs):
        super().__init__(**kwargs)
        self.backbone, self.gain = backbone, gain
        self.head = tf.keras.layers.Dense(1)
        self(tf.zeros([1, *backbone.image_size, backbone.channels]))

    def call(self, images, training=None):
        features = self.backbone(images, training=training)
        return self.head(tf.reduce_mean(features, axis=[1, 2]))[:, 0]

    def error(self, images, training=True):
        wanted = self.gain * tf.reduce_mean(images, axis=[1, 2, 3])
        return tf.reduce_mean((self(images, training=training) - wanted) ** 2)

    def train_step(self, data):
        return self.take_step(
            lambda images: (self.error(images), [], []),
            [data["image"]],
            lambda parts: tf.fill([parts.shape[0]], 1.0 / parts.shape[0]),
        )

    def test_step(self, data):
        self.loss_metric.update_state(self.error(data["image"], False))
        return {"loss": self.loss_metric.result()}

    def get_config(self):
        backbone = tf.keras.saving.serialize_keras_object(self.backbone)
        return {"backbone": backbone, "gain": self.gain}


class TellBrightness(task.Task):
    run_kind = "brightness"
    flag_groups = (
        *task.Task.flag_groups,
        backbone_flags,
        sys.modules[__name__],  # which defines --gain
    )

    def create_model(self, context, phase, pretrained):
        size, channels = input_flags.image_size(), context.source.channels
        backbone = backbone_flags.create_backbone(size, channels)
        return BrightnessTeller(backbone, GAIN.value)

    def finish(self, context, stage):
        scores = run_callbacks.held_out_scores(context, stage)
        path = context.directory.path / "evaluation.json"
        path.write_text(json.dumps(scores))


registry.register(registry.ModelKind("brightness", BrightnessTeller))

if __name__ == "__main__":
    train.launch(TellBrightness(), sys.argv)

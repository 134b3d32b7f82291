"""A process that takes training steps in turn with others (see turns.py).

Started by train_step.py and scaling.py with the flags below. Where TF_CONFIG
names several workers, they train together, each on --batch_size images.
"""

import turns
from absl import app
from absl import flags

import tf_simmim  # noqa: F401  (sets TensorFlow up; before TensorFlow itself)
from tf_simmim import backbones
from tf_simmim import masking
from tf_simmim import models
from tf_simmim import optimization
from tf_simmim import training

# isort: split
import tensorflow as tf

VARIANTS = ("naive", "graph", "xla", "bfloat16", "rematerialized")

_MODEL = flags.DEFINE_string("model", "vit_small@224", "PRESET@SIDE, px.")
_VARIANT = flags.DEFINE_enum(
    "variant", "graph", VARIANTS, "How it is trained; see train_step.py."
)
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 8, "Images of a step.")
_DEPTH = flags.DEFINE_integer(
    "depth", None, "Blocks of a ViT. Default: those of its preset."
)


class NaiveSimMIM(models.SimMIM):
    """The same loss, written without a thought for its cost."""

    def train_step(self, data):
        backbone = self.backbone
        with tf.GradientTape() as tape:
            patch_mask = self.random_mask.of_step(0, 0, data.shape[0])
            output = self(data, patch_mask=patch_mask, training=True)
            mask = masking.to_pixel_mask(patch_mask, backbone.patch_size)
            mask = tf.cast(mask, tf.float32)[..., None]  # [B, H, W, 1]
            error = tf.abs(data - output["reconstruction"]) * mask
            loss = tf.reduce_sum(error) / (tf.reduce_sum(mask) + 1e-5)
            loss /= backbone.channels
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(
            zip(gradients, self.trainable_variables, strict=True)
        )
        self.loss_metric.update_state(loss)
        return {"loss": self.loss_metric.result()}


def is_model(name):
    """Whether a name is PRESET@SIDE."""
    preset, _, side = name.partition("@")
    return preset in backbones.PRESETS and side.isdecimal()


def create_model(name, variant="graph", depth=None):
    """Returns a compiled model for a variant of a preset."""
    preset, side = name.split("@")
    if variant == "bfloat16":
        tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
    options = {"depth": depth} if depth else {}
    if variant == "rematerialized":
        options["rematerialize"] = True
    backbone = backbones.create(preset, int(side), **options)
    cls = NaiveSimMIM if variant == "naive" else models.SimMIM
    model = cls(backbone)
    optimizer = optimization.create_optimizer("adamw", model, 1e-4)
    model.compile(optimizer, jit_compile=variant == "xla")
    return model


def create_step():
    """Returns a function that takes a training step.

    Steps with one image come before the first: they tell what memory does not
    grow with the batch.
    """
    strategy = training.create_strategy()
    with strategy.scope():
        model = create_model(_MODEL.value, _VARIANT.value, _DEPTH.value)

    @tf.function
    def train(images):
        return strategy.run(model.train_step, args=(images,))

    images = tf.random.stateless_normal(
        [_BATCH_SIZE.value, *model.backbone.image_size, 3], [0, 0]
    )
    for _ in range(2):
        train(images[:1])
    fixed_bytes = turns.peak_memory()

    def step():
        train(images)["loss"].numpy()
        return {"fixed_bytes": fixed_bytes}

    return step


def main(argv):
    """Runs the program."""
    if len(argv) > 1:
        raise app.UsageError(f"Unknown arguments: {argv[1:]}")
    turns.serve(create_step())


if __name__ == "__main__":
    app.run(main)

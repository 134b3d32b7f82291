"""A network as a report measures it, whatever computes it.

Dimension key:
  B: batch   H W: image, px   C: channels   D: features   L: classes
  A: anchors
"""

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf

from tf_simmim import models
from tf_simmim.backbones import block_plan
from tf_simmim.models import registry
from tf_simmim.run import environment

TENSORFLOW = "TensorFlow"


@dataclasses.dataclass(frozen=True)
class Network:
    """What is to be measured of a network.

    Attributes:
        runtime: str. What computes it, such as "TensorFlow".
        num_threads: int. Threads that compute it.
        num_weights: int. Numbers in all of its weights.
        flops: int. Operations of its backbone for one image; see
            `block_plan.Part`.
        num_bytes: int. Size of a file that holds it.
        shapes: tuple of `BlockShape`, of a transformer's blocks.
        outputs: function (float32 [B, H, W, C], normalised) -> dict of arrays:
            `features` [B, D]; `logits`, of a classifier [B, L], a segmenter
            [B, H, W, L] or a detector [B, A, L], which has `box` [B, A, 4]
            too. What the network does not give is missing.
        forward: function (float32 [B, H, W, C], normalised) -> function of no
            arguments, which computes that batch once.
        folder: path of a run's folder with this model, or None.
    """

    runtime: str
    num_threads: int
    num_weights: int
    flops: int
    num_bytes: int
    shapes: tuple[block_plan.BlockShape, ...]
    outputs: Callable
    forward: Callable
    folder: Path | None = None


def of_model(model, folder=None) -> Network:
    """Returns what there is to measure of a model in memory.

    Its graphs are TensorFlow's. Its bytes are those of its weights in a
    checkpoint, without what an optimizer keeps beside them.

    Args:
        model: a model of a kind in `models.registry`.
        folder: path of a run with this model, or None. Only its peak memory is
            measured by it.
    """
    plan, weights = plan_of(model), weights_of(model)
    image_shape = [None, *model.backbone.image_size, model.backbone.channels]
    spec = tf.TensorSpec(image_shape, tf.float32)
    outputs = tf.function(
        lambda images: _outputs(model, images), input_signature=[spec]
    )
    forward = tf.function(
        lambda images: _forward(model, images), input_signature=[spec]
    )

    def run(images):
        batch = tf.constant(images)
        return lambda: tf.nest.map_structure(np.asarray, forward(batch))

    return Network(
        runtime=TENSORFLOW,
        num_threads=_num_threads(),
        num_weights=sum(math.prod(weight.shape) for weight in weights),
        flops=plan.flops,
        num_bytes=sum(
            math.prod(weight.shape) * tf.as_dtype(weight.dtype).size
            for weight in weights
        ),
        shapes=plan.shapes,
        outputs=lambda images: {
            name: value.numpy() for name, value in outputs(images).items()
        },
        forward=run,
        folder=None if folder is None else Path(folder),
    )


def plan_of(model) -> block_plan.BlockPlan:
    """Returns the plan of a model's backbone: its sizes and its work."""
    return type(model.backbone).plan(model.backbone.get_config())


def weights_of(model) -> list:
    """Returns a model's variables without those in which metrics count."""
    counting = {
        id(variable)
        for metric in model.metrics
        for variable in metric.variables
    }
    return [each for each in model.weights if id(each) not in counting]


def _outputs(model, images):
    feature_map = tf.cast(model.backbone(images, training=False), tf.float32)
    kind = registry.kind_of(model)
    found = {"features": kind.pool(model, feature_map)}
    if isinstance(model, models.Detector):
        answer = model(images, training=False)
        found |= {"logits": answer["classification"], "box": answer["box"]}
    elif isinstance(model, models.Classifier | models.Segmenter):
        found["logits"] = model(images, training=False)
    return {name: tf.cast(value, tf.float32) for name, value in found.items()}


def _forward(model, images):
    # What a pretrained model is used for are its features.
    has_answers = models.Detector | models.Classifier | models.Segmenter
    network = model if isinstance(model, has_answers) else model.backbone
    return network(images, training=False)


def _num_threads():
    chosen = tf.config.threading.get_intra_op_parallelism_threads()
    return chosen or environment.fingerprint()["cpu_count"]

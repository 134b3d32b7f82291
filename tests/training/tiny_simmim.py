"""A real SimMIM, so small that a step takes milliseconds."""

import numpy as np
import tensorflow as tf

from tf_simmim import backbones
from tf_simmim import models

B, H, W, C = 2, 16, 24, 3


def create(learning_rate):
    """Returns a compiled model whose optimizer has its slots.

    Args:
        learning_rate: float or schedule.
    """
    tf.keras.utils.set_random_seed(1)
    backbone = backbones.ViT(
        image_size=(H, W),
        patch_size=8,
        embed_dim=6,
        depth=1,
        num_heads=3,
        relative_position="shared",
    )
    model = models.SimMIM(backbone, mask_patch_size=8, seed=4)
    model.compile(tf.keras.optimizers.AdamW(learning_rate))
    model.optimizer.build(model.trainable_variables)
    return model


def checkpoint(model):
    """Returns a checkpoint of the model and its optimizer."""
    return tf.train.Checkpoint(model=model, optimizer=model.optimizer)


def images(num_batches, seed):
    """Returns float32 [num_batches, B, H, W, C]."""
    generator = np.random.default_rng(seed)
    shape = [num_batches, B, H, W, C]
    return generator.normal(size=shape).astype(np.float32)

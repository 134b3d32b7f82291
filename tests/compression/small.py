"""Small models of every kind, with smaller twins, and images for them."""

import numpy as np
import tensorflow as tf

from tf_simmim import backbones
from tf_simmim import models

H, W, P, C = 16, 24, 8, 2
NUM_CLASSES = 3
NUM_IMAGES = 10
BATCH = 4


def vit(mlp_dims=None, **options):
    return backbones.ViT(
        (H, W),
        P,
        embed_dim=12,
        depth=2,
        num_heads=3,
        channels=C,
        mlp_dims=mlp_dims,
        **options,
    )


def classifier(mlp_dims=None, seed=0):
    tf.keras.utils.set_random_seed(seed)
    model = models.Classifier(vit(mlp_dims), NUM_CLASSES)
    return randomized(model, seed)


def segmenter(seed=0):
    model = models.Segmenter(vit(), NUM_CLASSES, width=5)
    return randomized(model, seed)


def detector(seed=0):
    model = models.Detector(vit(), NUM_CLASSES, width=8, num_convolutions=1)
    return randomized(model, seed)


def simmim(mlp_dims=None, seed=0):
    model = models.SimMIM(vit(mlp_dims), mask_patch_size=8, mask_ratio=0.5)
    return randomized(model, seed)


def randomized(model, seed):
    """Gives every weight a value of its own."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        weight.assign(0.3 * rng.normal(size=weight.shape))
    return model


def images():
    """Returns float32 [10, 16, 24, 2]."""
    shape = [NUM_IMAGES, H, W, C]
    return np.random.default_rng(5).normal(size=shape).astype(np.float32)


def batches(**labels):
    """Returns elements of 4, 4 and 2 images, with more keys by name."""
    columns = {"image": images(), **labels}
    return [
        {name: value[i : i + BATCH] for name, value in columns.items()}
        for i in range(0, NUM_IMAGES, BATCH)
    ]

"""The folder of a run with an untrained model, and image files, for tests."""

import numpy as np
import tensorflow as tf
from PIL import Image

from tf_simmim import backbones
from tf_simmim import models
from tf_simmim import training

H, W, P, K = 16, 24, 8, 3


def create(path, channels=3, **kwargs):
    """Makes the folder of a run of an untrained ViT, and returns its model.

    Args:
        path: pathlib.Path.
        channels: int.
        **kwargs: of `models.SimMIM`.
    """
    tf.keras.utils.set_random_seed(1)
    backbone = backbones.ViT(
        (H, W), P, embed_dim=12, depth=3, num_heads=K, channels=channels
    )
    model = models.SimMIM(backbone, mask_patch_size=P, mask_ratio=0.5, **kwargs)
    save(model, path)
    return model


def save(model, path):
    """Makes the folder of a run of a model."""
    run = training.RunDirectory(path)
    run.write_model(model)
    store = training.CheckpointStore(run.checkpoints)
    metadata = {"model": model.get_config()}
    store.save(tf.train.Checkpoint(model=model), 7, metadata)


def write_images(folder, num_images=3, size=(H, W)):
    """Writes 0.png, 1.png, ... of noise, and returns their paths."""
    rng = np.random.default_rng(0)
    paths = []
    for i in range(num_images):
        pixels = rng.integers(0, 256, [*size, 3], dtype=np.uint8)
        paths.append(str(folder / f"{i}.png"))
        Image.fromarray(pixels).save(paths[-1])
    return paths

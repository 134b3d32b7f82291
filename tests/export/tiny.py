"""Models that are small, with weights that nothing hides, and image files."""

import io
import pathlib
import tempfile

import numpy as np
import tensorflow as tf
from PIL import Image

from tf_simmim import backbones
from tf_simmim import data
from tf_simmim import export
from tf_simmim import models

H, W, P = 16, 24, 8
NAMES = ("owl", "ibis", "emu")


def vit(channels=3, **options):
    return backbones.ViT(
        (H, W),
        P,
        embed_dim=12,
        depth=1,
        num_heads=3,
        channels=channels,
        **options,
    )


def swin(channels=3, **options):
    return backbones.Swin(
        (H, W),
        4,
        embed_dim=6,
        depths=(1, 1),
        num_heads=(2, 3),
        window_size=(2, 3),
        channels=channels,
        **options,
    )


def simmim(backbone=None, **options):
    model = models.SimMIM(
        backbone or vit(), mask_patch_size=8, mask_ratio=0.5, **options
    )
    return randomized(model)


def classifier(backbone=None, names=NAMES, **options):
    model = models.Classifier(
        backbone or vit(final_norm=False), len(names), names, **options
    )
    return randomized(model)


def randomized(model):
    """Gives every weight a value of its own."""
    rng = np.random.default_rng(7)
    for weight in [*model.backbone.weights, *model.head.weights]:
        value = 0.3 * rng.normal(size=weight.shape)
        if "variance" in weight.name:
            value = 0.1 + np.abs(value)
        weight.assign(value)
    return model


def normalization(channels=3):
    return data.Normalization(
        [0.4, 0.5, 0.6][:channels], [0.2, 0.25, 0.3][:channels]
    )


def preprocessing(model):
    """Returns what fits a model: the crop of its kind of run."""
    crop = data.ResizeAndCentreCrop((H, W))
    if isinstance(model, models.Classifier):
        crop = data.EvaluationCrop((H, W), 0.8)
    return export.Preprocessing(crop, normalization(model.backbone.channels))


def photo(seed, size=(40, 30)):
    """Returns uint8 [height, width, 3]: smooth noise."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, [5, 4, 3], dtype=np.uint8)
    return np.array(Image.fromarray(small).resize(size[::-1], Image.BICUBIC))


def encoded(pixels, kind="PNG", **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def files(num=3):
    """Returns a string tensor [num] of image files of different shapes."""
    return tf.constant(
        [
            encoded(photo(i, (40 + 9 * i, 50 - 7 * i)), ("PNG", "JPEG")[i % 2])
            for i in range(num)
        ]
    )


def new_folder(test):
    """Returns the path of an empty folder that lives as long as a test."""
    return pathlib.Path(tempfile.mkdtemp(dir=test.get_temp_dir()))

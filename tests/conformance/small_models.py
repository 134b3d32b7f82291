"""Backbones and models small enough to put each through conformance.

Dimensions differ from each other, so that a swapped axis cannot pass.
"""

import tensorflow as tf

from tf_simmim import backbones
from tf_simmim import heads
from tf_simmim import layers
from tf_simmim import models

D, K = 12, 3  # width, heads
GRID = (2, 3)
IMAGE = (16, 24)


@tf.keras.saving.register_keras_serializable(package="tf_simmim_tests")
class FourVisible(backbones.ViT):
    """A ViT that expects four visible patches, as SimMIM would tell it."""

    def call(self, images, patch_mask=None, training=None, seed=None):
        # Not of the empty mask that the constructor calls it with.
        num_visible = None if seed is None else 4
        return super().call(images, patch_mask, training, seed, num_visible)


@tf.keras.saving.register_keras_serializable(package="tf_simmim_tests")
class FeaturePyramid(layers.FeaturePyramid):
    """One that takes its maps one by one, as `Case` has inputs."""

    def call(self, fine, coarse):
        return super().call([fine, coarse])


@tf.keras.saving.register_keras_serializable(package="tf_simmim_tests")
class DetectionHead(heads.DetectionHead):
    """Likewise."""

    def call(self, fine, coarse):
        return super().call([fine, coarse])


@tf.keras.saving.register_keras_serializable(package="tf_simmim_tests")
class SegmentationHead(heads.SegmentationHead):
    """Likewise."""

    def call(self, fine, coarse):
        return super().call([fine, coarse])


def vit(vit=backbones.ViT, **kwargs):
    return vit(
        **{
            "image_size": IMAGE,
            "patch_size": 8,
            "embed_dim": D,
            "depth": 2,
            "num_heads": K,
            "channels": 2,
            "absolute_position": "learned",
            "relative_position": "per_block",
            "qkv_bias": "query_key_value",
            "layer_scale_init": 0.5,
            "epsilon": 1e-5,
            "mlp_ratio": 2.0,
            **kwargs,
        }
    )


def swin(**kwargs):
    return backbones.Swin(
        **{
            "image_size": IMAGE,
            "patch_size": 4,
            "embed_dim": 6,
            "depths": (2, 1),
            "num_heads": (2, 3),
            "window_size": (3, 4),  # pads maps of 4 x 6
            "channels": 2,
            "epsilon": 1e-4,
            "mlp_ratio": 2.0,
            "drop_path_rate": 0.4,
            **kwargs,
        }
    )


def convolutional(**kwargs):
    return backbones.Convolutional(
        **{
            "image_size": IMAGE,
            "depths": (1, 1),
            "widths": (6, 10),
            "channels": 2,
            "drop_path_rate": 0.4,
            **kwargs,
        }
    )


def simmim_of_swin(**kwargs):
    backbone = swin(drop_path_rate=0.0, dtype=kwargs.get("dtype"))
    return models.SimMIM(
        **{"backbone": backbone, "mask_patch_size": 8, **kwargs}
    )


def simmim_of_visible_only(**kwargs):
    backbone = vit(
        visible_only=True,
        relative_position="none",
        dtype=kwargs.get("dtype"),
    )
    return models.SimMIM(
        **{
            "backbone": backbone,
            "mask_patch_size": 8,
            "head": "cross_attention",
            **kwargs,
        }
    )


def simmim(**kwargs):
    backbone = vit(
        qkv_bias="query_value",
        relative_position="shared",
        dtype=kwargs.get("dtype"),
    )
    return models.SimMIM(
        **{
            "backbone": backbone,
            "mask_patch_size": 8,
            "mask_ratio": 0.4,
            "mask_strategy": "grid",
            "target": "patch_normalized",
            "reconstruction_loss": "smooth_l1",
            "seed": 3,
            **kwargs,
        }
    )


def segmenter(**kwargs):
    backbone = vit(depth=1, dtype=kwargs.get("dtype"))
    return models.Segmenter(
        **{
            "backbone": backbone,
            "num_classes": 5,
            "width": 7,
            "ignore_label": 99,
            "seed": 3,
            "class_weights": [0.1, 1.0, 2.0, 1.0, 1.0],
            **kwargs,
        }
    )


def detector(**kwargs):
    backbone = vit(depth=1, dtype=kwargs.get("dtype"))
    return models.Detector(
        **{
            "backbone": backbone,
            "num_classes": 5,
            "width": 7,
            "num_convolutions": 1,
            "seed": 3,
            **kwargs,
        }
    )


def classifier(**kwargs):
    backbone = vit(
        drop_path_rate=0.4, final_norm=False, dtype=kwargs.get("dtype")
    )
    return models.Classifier(
        **{
            "backbone": backbone,
            "num_classes": 3,
            "class_names": ["a", "b", "c"],
            "label_smoothing": 0.3,
            "seed": 3,
            **kwargs,
        }
    )

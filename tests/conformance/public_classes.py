"""Every public Keras class, with an instance to put through conformance.

A class that is exported and not listed here fails `conformance_test.py`.
Dimensions differ from each other, so that a swapped axis cannot pass.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tf_simmim import backbones
from tf_simmim import heads
from tf_simmim import layers
from tf_simmim import models

B, N, D, K = 4, 6, 12, 3  # batch, patches of a 2 x 3 grid, width, heads
GRID = (2, 3)
IMAGE = (16, 24)


@dataclasses.dataclass(frozen=True)
class Case:
    """One class: how to make it with non-default arguments, and its inputs.

    Attributes:
        name: str, unique.
        create: function (**keyword arguments) -> layer or model.
        inputs: {argument name of `call`: array}; the first is positional.
        unbatched: names of inputs without a batch axis.
        output_dtype: dtype under every precision, or None for the compute one.
    """

    name: str
    create: Callable[..., Any]
    inputs: dict[str, np.ndarray]
    unbatched: tuple[str, ...] = ()
    output_dtype: str | None = None


def _floats(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def _mask(*shape):
    return np.random.default_rng(1).integers(0, 2, shape).astype(np.int32)


@tf.keras.saving.register_keras_serializable(package="tf_simmim_tests")
class _FourVisible(backbones.ViT):
    """A ViT that expects four visible patches, as SimMIM would tell it."""

    def call(self, images, patch_mask=None, training=None, seed=None):
        # Not of the empty mask that the constructor calls it with.
        num_visible = None if seed is None else 4
        return super().call(images, patch_mask, training, seed, num_visible)


@tf.keras.saving.register_keras_serializable(package="tf_simmim_tests")
class _FeaturePyramid(layers.FeaturePyramid):
    """One that takes its maps one by one, as `Case` has inputs."""

    def call(self, fine, coarse):
        return super().call([fine, coarse])


@tf.keras.saving.register_keras_serializable(package="tf_simmim_tests")
class _DetectionHead(heads.DetectionHead):
    """Likewise."""

    def call(self, fine, coarse):
        return super().call([fine, coarse])


@tf.keras.saving.register_keras_serializable(package="tf_simmim_tests")
class _SegmentationHead(heads.SegmentationHead):
    """Likewise."""

    def call(self, fine, coarse):
        return super().call([fine, coarse])


def _vit(vit=backbones.ViT, **kwargs):
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


def _swin(**kwargs):
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


def _convolutional(**kwargs):
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


def _simmim_of_swin(**kwargs):
    backbone = _swin(drop_path_rate=0.0, dtype=kwargs.get("dtype"))
    return models.SimMIM(
        **{"backbone": backbone, "mask_patch_size": 8, **kwargs}
    )


def _simmim_of_visible_only(**kwargs):
    backbone = _vit(
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


def _simmim(**kwargs):
    backbone = _vit(
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


def _segmenter(**kwargs):
    backbone = _vit(depth=1, dtype=kwargs.get("dtype"))
    return models.Segmenter(
        **{
            "backbone": backbone,
            "num_classes": 5,
            "width": 7,
            "ignore_label": 99,
            "seed": 3,
            **kwargs,
        }
    )


def _detector(**kwargs):
    backbone = _vit(depth=1, dtype=kwargs.get("dtype"))
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


def _classifier(**kwargs):
    backbone = _vit(
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


def _bind(cls, **defaults):
    return lambda **kwargs: cls(**{**defaults, **kwargs})


TOKENS = _floats(B, N, D)
IMAGES = _floats(B, *IMAGE, 2)
SEED = np.array([5, 7], np.int64)

CASES = [
    Case(
        "ClassToken", _bind(layers.ClassToken, stddev=0.5), {"tokens": TOKENS}
    ),
    Case(
        "CrossAttentionBlock",
        _bind(layers.CrossAttentionBlock, num_heads=K, mlp_ratio=2.0),
        {"queries": _floats(B, 5, D), "tokens": TOKENS},
    ),
    Case(
        "DropPath",
        _bind(layers.DropPath, rate=0.4),
        {"inputs": TOKENS, "seed": SEED},
        unbatched=("seed",),
    ),
    Case(
        "FeaturePyramid",
        _bind(_FeaturePyramid, num_levels=2, width=7),
        {"fine": _floats(B, 4, 6, D), "coarse": _floats(B, *GRID, 5)},
    ),
    Case(
        "LayerScale",
        _bind(layers.LayerScale, initial_value=0.3),
        {"inputs": TOKENS},
    ),
    Case(
        "LearnedPositionEmbedding",
        _bind(layers.LearnedPositionEmbedding, stddev=0.5),
        {"tokens": TOKENS},
    ),
    Case(
        "MaskColor",
        _bind(layers.MaskColor),
        {"images": IMAGES, "pixel_mask": _mask(B, *IMAGE)},
    ),
    Case(
        "MaskToken",
        _bind(layers.MaskToken, stddev=0.5),
        {"tokens": TOKENS, "patch_mask": _mask(B, N)},
    ),
    Case(
        "MLP",
        _bind(layers.MLP, mlp_ratio=2.5, output_stddev=0.1, kernel_bound=2.0),
        {"tokens": TOKENS},
    ),
    Case(
        "MultiHeadAttention",
        _bind(
            layers.MultiHeadAttention,
            num_heads=K,
            qkv_bias="query_key_value",
            output_stddev=0.1,
            kernel_bound=2.0,
        ),
        {"tokens": TOKENS, "position_bias": _floats(K, N, N)},
        unbatched=("position_bias",),
    ),
    Case(
        "NormalizedConvolution",
        _bind(
            layers.NormalizedConvolution,
            filters=7,
            kernel_size=2,
            activation="relu",
            epsilon=1e-3,
        ),
        {"inputs": _floats(B, *GRID, D)},
    ),
    Case(
        "PatchEmbedding",
        _bind(
            layers.PatchEmbedding,
            patch_size=8,
            embed_dim=D,
            kernel_initializer=layers.FanInUniform(),
        ),
        {"images": IMAGES},
    ),
    Case(
        "PatchMerging",
        _bind(layers.PatchMerging, epsilon=1e-3, norm_last=True),
        {"feature_map": _floats(B, 4, 6, 3)},
    ),
    Case(
        "RandomMasking",
        _bind(
            layers.RandomMasking,
            image_size=IMAGE,
            patch_size=4,
            mask_patch_size=8,
            mask_ratio=0.3,
            mask_strategy="block_wise",
        ),
        {"images": IMAGES, "seed": SEED},
        unbatched=("seed",),
        output_dtype="int32",
    ),
    Case(
        "RelativePositionBias",
        _bind(
            layers.RelativePositionBias,
            grid_size=GRID,
            num_heads=K,
            class_token=False,
        ),
        {"tokens": TOKENS},
        output_dtype="float32",
    ),
    Case(
        "ContinuousPositionBias",
        _bind(
            layers.ContinuousPositionBias,
            grid_size=GRID,
            num_heads=K,
            hidden_units=5,
        ),
        {"tokens": TOKENS},
        output_dtype="float32",
    ),
    Case(
        "ScaledCosineAttention",
        _bind(
            layers.ScaledCosineAttention,
            num_heads=K,
            qkv_bias="none",
            output_stddev=0.1,
            kernel_bound=2.0,
        ),
        # A bias a window: two windows an image.
        {"tokens": TOKENS, "position_bias": _floats(2, K, N, N)},
        unbatched=("position_bias",),
    ),
    *(
        Case(
            cls.__name__,
            _bind(
                cls,
                num_heads=K,
                window_size=(3, 4),
                shifted=True,
                mlp_ratio=2.0,
                qkv_bias="none",
                drop_path=0.4,
                epsilon=1e-4,
            ),
            {"feature_map": _floats(B, 5, 7, D), "seed": SEED},
            unbatched=("seed",),
        )
        for cls in (layers.SwinBlock, layers.SwinV2Block)
    ),
    Case(
        "SimpleFeaturePyramid",
        _bind(layers.SimpleFeaturePyramid, stride=16, width=7),
        {"features": _floats(B, *GRID, D)},
    ),
    Case(
        "SinCosPositionEmbedding",
        _bind(layers.SinCosPositionEmbedding, grid_size=GRID),
        {"tokens": TOKENS},
    ),
    Case(
        "SyncBatchNormalization",
        _bind(layers.SyncBatchNormalization, momentum=0.7, epsilon=1e-4),
        {"inputs": _floats(B, *GRID, D)},
    ),
    Case(
        "TransformerBlock",
        _bind(
            layers.TransformerBlock,
            num_heads=K,
            mlp_ratio=2.0,
            qkv_bias="none",
            layer_scale_init=0.5,
            drop_path=0.4,
            epsilon=1e-5,
            output_stddev=0.1,
        ),
        {"tokens": TOKENS, "position_bias": _floats(K, N, N), "seed": SEED},
        unbatched=("position_bias", "seed"),
    ),
    Case(
        "ClassificationHead",
        _bind(
            heads.ClassificationHead,
            num_classes=5,
            normalize=True,
            stddev=0.3,
            epsilon=1e-4,
        ),
        {"features": _floats(B, *GRID, D)},
        output_dtype="float32",
    ),
    Case(
        "DetectionHead",
        _bind(
            _DetectionHead,
            num_classes=5,
            num_anchors=2,
            num_convolutions=1,
            width=7,
        ),
        {"fine": _floats(B, 4, 6, D), "coarse": _floats(B, *GRID, D)},
        output_dtype="float32",
    ),
    Case(
        "PredictionHead",
        _bind(heads.PredictionHead, stride=4, channels=2),
        {"features": _floats(B, *GRID, D)},
        output_dtype="float32",
    ),
    Case(
        "SegmentationHead",
        _bind(_SegmentationHead, num_classes=5, num_levels=2, width=7),
        {"fine": _floats(B, 4, 6, D), "coarse": _floats(B, *GRID, 8)},
        output_dtype="float32",
    ),
    *(
        Case(
            cls.__name__,
            _bind(cls, stride=4, channels=2, **options),
            {
                "features": _floats(B, *GRID, D),
                "cells": np.array([[5, 0], [2, 1], [0, 3], [4, 5]], np.int32),
            },
            output_dtype="float32",
        )
        for cls, options in (
            (heads.MLPHead, {"hidden_ratio": 0.5}),
            (heads.DecoderHead, {"embed_dim": 12, "num_heads": K}),
            (heads.CrossAttentionHead, {"embed_dim": 12, "num_heads": K}),
        )
    ),
    Case(
        "ViT",
        _bind(_vit, drop_path_rate=0.4, rematerialize=True),
        {"images": IMAGES, "patch_mask": _mask(B, *GRID), "seed": SEED},
        unbatched=("seed",),
    ),
    Case(
        "ViTVisibleOnly",
        _bind(
            _vit,
            vit=_FourVisible,
            relative_position="none",
            drop_path_rate=0.4,
            visible_only=True,
        ),
        {
            "images": IMAGES,
            "patch_mask": np.random.default_rng(2)
            .permuted(np.tile(np.int32([[1, 1, 0, 0, 0, 0]]), [B, 1]), axis=1)
            .reshape([B, *GRID]),
            "seed": SEED,
        },
        unbatched=("seed",),
    ),
    *(
        Case(
            name,
            _bind(_swin, version=version, rematerialize=True),
            {
                "images": IMAGES,
                "patch_mask": _mask(B, 4, 6),
                "seed": SEED,
            },
            unbatched=("seed",),
        )
        for name, version in (("Swin", 1), ("SwinVersion2", 2))
    ),
    *(
        Case(
            name,
            _bind(_convolutional, extractor=extractor, masking=masking),
            {
                "images": IMAGES,
                "patch_mask": _mask(B, 4, 6),
                "seed": SEED,
            },
            unbatched=("seed",),
        )
        for name, extractor, masking in (
            ("Convolutional", "convnext_tiny", "color"),
            ("ConvolutionalResNet", "resnet18", "stem_token"),
        )
    ),
    Case(
        "SimMIMOfSwin",
        _simmim_of_swin,
        {"inputs": IMAGES, "patch_mask": _mask(B, 4, 6)},
    ),
    Case(
        "SimMIMOfVisibleOnly",
        _simmim_of_visible_only,
        {"inputs": IMAGES, "patch_mask": _mask(B, *GRID)},
    ),
    Case("Detector", _detector, {"inputs": IMAGES}, output_dtype="float32"),
    Case("Segmenter", _segmenter, {"inputs": IMAGES}, output_dtype="float32"),
    Case(
        "Classifier",
        _classifier,
        {"inputs": IMAGES, "seed": SEED},
        unbatched=("seed",),
        output_dtype="float32",
    ),
    Case("SimMIM", _simmim, {"inputs": IMAGES, "patch_mask": _mask(B, *GRID)}),
]

# Serialisable classes that have no call on a batch: config round trip only.
CONFIG_ONLY = {
    "FanInUniform": {},
    "FiniteMean": dict(name="mean", dtype="float32"),
    "SegmentationScores": dict(
        name="iou", dtype="float32", num_classes=3, ignore_label=7
    ),
    "SkippedSteps": dict(name="skipped", dtype="float32"),
    "TruncatedNormal": dict(stddev=0.3, bound=1.5),
    "WarmupCosine": dict(
        learning_rate=0.5,
        total_steps=9,
        warmup_steps=2,
        warmup_learning_rate=0.1,
        min_learning_rate=0.2,
        cosine_origin="warmup_end",
    ),
    "WarmupMultiStep": dict(
        learning_rate=0.5,
        milestone_steps=[4, 6],
        gamma=0.3,
        warmup_steps=2,
        warmup_learning_rate=0.1,
    ),
}

KERAS_BASES = (
    tf.keras.layers.Layer,
    tf.keras.initializers.Initializer,
    tf.keras.optimizers.schedules.LearningRateSchedule,
)

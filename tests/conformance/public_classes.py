"""Every public Keras class, with an instance to put through conformance.

A class that is exported and not listed here fails `conformance_test.py`.
Dimensions differ from each other, so that a swapped axis cannot pass.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tests.conformance import small_models
from tf_simmim import heads
from tf_simmim import layers

B, N, D, K = 4, 6, small_models.D, small_models.K  # batch, patches of GRID
GRID, IMAGE = small_models.GRID, small_models.IMAGE


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

    def __repr__(self):
        """Spares absl, which puts it in every test's docstring, the arrays."""
        return self.name


def _floats(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def _mask(*shape):
    return np.random.default_rng(1).integers(0, 2, shape).astype(np.int32)


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
        _bind(small_models.FeaturePyramid, num_levels=2, width=7),
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
        _bind(
            layers.MLP,
            mlp_ratio=2.5,
            output_stddev=0.1,
            kernel_bound=2.0,
            hidden_dim=7,
        ),
        {"tokens": TOKENS},
    ),
    Case(
        "SelfAttention",
        _bind(
            layers.SelfAttention,
            num_heads=K,
            qkv_bias="query_key_value",
            output_stddev=0.1,
            kernel_bound=2.0,
            key_dim=2,
            value_dim=5,
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
        "RegisterTokens",
        _bind(layers.RegisterTokens, num_tokens=2, num_first=3, stddev=0.5),
        {"tokens": TOKENS},
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
                key_dim=2,
                value_dim=5,
                mlp_dim=7,
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
            key_dim=2,
            value_dim=5,
            mlp_dim=7,
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
            small_models.DetectionHead,
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
        _bind(
            small_models.SegmentationHead, num_classes=5, num_levels=2, width=7
        ),
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
        _bind(small_models.vit, drop_path_rate=0.4, rematerialize=True),
        {"images": IMAGES, "patch_mask": _mask(B, *GRID), "seed": SEED},
        unbatched=("seed",),
    ),
    Case(
        "ViTOfOwnBlocks",
        _bind(
            small_models.vit,
            relative_position="none",
            num_heads=(2, 3),
            key_dims=(3, 2),
            value_dims=(5, 2),
            mlp_dims=(7, 9),
            attention=("softmax", "softmax"),
            register_tokens=2,
            reduce_tokens=(2, 1),
        ),
        {"images": IMAGES, "patch_mask": _mask(B, *GRID)},
    ),
    Case(
        "ViTVisibleOnly",
        _bind(
            small_models.vit,
            vit=small_models.FourVisible,
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
            _bind(
                small_models.swin,
                version=version,
                rematerialize=True,
                key_dims=(2, 3, 4),
                value_dims=3,
                mlp_dims=(5, 7, 9),
            ),
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
            _bind(
                small_models.convolutional, extractor=extractor, masking=masking
            ),
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
        small_models.simmim_of_swin,
        {"inputs": IMAGES, "patch_mask": _mask(B, 4, 6)},
    ),
    Case(
        "SimMIMOfVisibleOnly",
        small_models.simmim_of_visible_only,
        {"inputs": IMAGES, "patch_mask": _mask(B, *GRID)},
    ),
    Case(
        "Detector",
        small_models.detector,
        {"inputs": IMAGES},
        output_dtype="float32",
    ),
    Case(
        "Segmenter",
        small_models.segmenter,
        {"inputs": IMAGES},
        output_dtype="float32",
    ),
    Case(
        "Classifier",
        small_models.classifier,
        {"inputs": IMAGES, "seed": SEED},
        unbatched=("seed",),
        output_dtype="float32",
    ),
    Case(
        "SimMIM",
        small_models.simmim,
        {"inputs": IMAGES, "patch_mask": _mask(B, *GRID)},
    ),
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

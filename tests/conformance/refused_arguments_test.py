"""Tests that layers and heads refuse what cannot be, by the argument's name.

One table instead of a sentence in each layer's test: whoever has called a layer
must read which argument was wrong, and the words around it may change.
"""

import pytest
import tensorflow as tf

from tf_simmim import heads
from tf_simmim import layers

WIDTH, GRID = 8, (2, 3)

# Class, the argument that is wrong, values that it may not have, the others.
ARGUMENTS = (
    (layers.ClassToken, "stddev", (0.0, -0.1), {}),
    (layers.ContinuousPositionBias, "num_heads", (0,), {"grid_size": GRID}),
    (
        layers.ContinuousPositionBias,
        "hidden_units",
        (0,),
        {"grid_size": GRID, "num_heads": 3},
    ),
    (layers.DropPath, "rate", (-0.1, 1.0), {}),
    (layers.FeaturePyramid, "num_levels", (0,), {"width": 4}),
    (layers.FeaturePyramid, "width", (0,), {"num_levels": 2}),
    (layers.LearnedPositionEmbedding, "stddev", (0.0, -0.1), {}),
    (layers.MaskToken, "stddev", (0.0, -0.1), {}),
    (layers.MLP, "mlp_ratio", (0, -1.0), {}),
    (layers.MLP, "hidden_dim", (0,), {}),
    (layers.PatchEmbedding, "patch_size", (0, -4), {"embed_dim": WIDTH}),
    (layers.PatchEmbedding, "embed_dim", (0, -1), {"patch_size": 4}),
    (layers.RegisterTokens, "num_tokens", (0,), {}),
    (layers.RegisterTokens, "num_first", (-1,), {"num_tokens": 3}),
    (layers.RegisterTokens, "stddev", (0.0,), {"num_tokens": 3}),
    (layers.RelativePositionBias, "num_heads", (0, -2), {"grid_size": GRID}),
    (layers.RelativePositionBias, "grid_size", ((2, 3, 4),), {"num_heads": 3}),
    (
        layers.SelfAttention,
        "qkv_bias",
        ("key", "qkv", "", True),
        {"num_heads": 2},
    ),
    (layers.SimpleFeaturePyramid, "stride", (0,), {"width": 4}),
    (layers.SimpleFeaturePyramid, "width", (-1,), {"stride": 8}),
    (layers.SinCosPositionEmbedding, "grid_size", ((0, 3),), {}),
    (layers.SyncBatchNormalization, "momentum", (1.0, -0.1), {}),
    (layers.SyncBatchNormalization, "epsilon", (0.0,), {}),
    (layers.TransformerBlock, "qkv_bias", ("all",), {"num_heads": 2}),
    (layers.TransformerBlock, "mlp_ratio", (0,), {"num_heads": 2}),
    (layers.TransformerBlock, "attention", ("none",), {"num_heads": 2}),
    (heads.ClassificationHead, "num_classes", (1,), {}),
    (heads.PredictionHead, "stride", (0, -1), {"channels": 3}),
    (heads.PredictionHead, "channels", (0, -3), {"stride": 4}),
    (heads.SegmentationHead, "num_classes", (0,), {"num_levels": 2}),
    (heads.SegmentationHead, "num_levels", (0,), {"num_classes": 2}),
    (
        heads.SegmentationHead,
        "width",
        (0,),
        {"num_classes": 2, "num_levels": 2},
    ),
)
# Class, its arguments, the input that is wrong, shapes that it may not have.
SHAPES = (
    (layers.ClassToken, {}, "tokens", ([2, WIDTH], [2, 2, 3, WIDTH])),
    (
        layers.ContinuousPositionBias,
        {"grid_size": GRID, "num_heads": 3},
        "tokens",
        ([2, 7, WIDTH],),
    ),
    (
        layers.LearnedPositionEmbedding,
        {},
        "tokens",
        ([None, None, 8], [2, 6, None], [2, 8], [2, 6, 8, 1]),
    ),
    (layers.MaskToken, {}, "tokens", ([6, WIDTH],)),
    (layers.PatchMerging, {}, "feature_map", ([2, 3, 6, WIDTH],)),
    (layers.RegisterTokens, {"num_tokens": 3}, "tokens", ([2, 2, 3, WIDTH],)),
    (
        layers.RelativePositionBias,
        {"grid_size": GRID, "num_heads": 3},
        "tokens",
        ([2, 6, WIDTH], [2, 8, WIDTH]),
    ),
    (
        layers.RelativePositionBias,
        {"grid_size": GRID, "num_heads": 3, "class_token": False},
        "tokens",
        ([2, 7, WIDTH],),
    ),
    (
        layers.SinCosPositionEmbedding,
        {"grid_size": GRID},
        "tokens",
        ([2, 7, WIDTH], [2, 6], [2, 2, 3, WIDTH]),
    ),
    (
        layers.SinCosPositionEmbedding,
        {"grid_size": GRID},
        "embed_dim",
        ([2, 6, 6], [2, 6, 9]),
    ),
    (layers.SwinBlock, {"num_heads": 2}, "feature_map", ([2, None, 4, WIDTH],)),
)


@pytest.mark.parametrize(
    "kind, name, value, others",
    [
        pytest.param(kind, name, value, others, id=f"{kind.__name__}-{name}")
        for kind, name, values, others in ARGUMENTS
        for value in values
    ],
)
def test_an_argument_that_cannot_be_is_refused_by_its_name(
    kind, name, value, others
):
    with pytest.raises(ValueError, match=f"`{name}`.*Received: "):
        kind(**others, **{name: value})


@pytest.mark.parametrize(
    "kind, arguments, name, shape",
    [
        pytest.param(*case, shape, id=f"{case[0].__name__}-{case[2]}")
        for *case, shapes in SHAPES
        for shape in shapes
    ],
)
def test_inputs_of_another_shape_are_refused_by_their_name(
    kind, arguments, name, shape
):
    with pytest.raises(ValueError, match=f"`{name}`.*Received"):
        kind(**arguments).build(tf.TensorShape(shape))

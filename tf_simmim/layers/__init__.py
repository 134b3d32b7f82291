"""Keras layers, one a file."""

from tf_simmim.layers.bilinear import enlarge
from tf_simmim.layers.class_token import ClassToken
from tf_simmim.layers.continuous_position_bias import ContinuousPositionBias
from tf_simmim.layers.cross_attention_block import CrossAttentionBlock
from tf_simmim.layers.drop_path import DropPath
from tf_simmim.layers.fan_in_uniform import FanInUniform
from tf_simmim.layers.feature_pyramid import FeaturePyramid
from tf_simmim.layers.layer_scale import LayerScale
from tf_simmim.layers.learned_position_embedding import LearnedPositionEmbedding
from tf_simmim.layers.mask_color import MaskColor
from tf_simmim.layers.mask_token import MaskToken
from tf_simmim.layers.mlp import MLP
from tf_simmim.layers.normalized_convolution import NormalizedConvolution
from tf_simmim.layers.patch_embedding import PatchEmbedding
from tf_simmim.layers.patch_merging import PatchMerging
from tf_simmim.layers.register_tokens import RegisterTokens
from tf_simmim.layers.relative_position_bias import RelativePositionBias
from tf_simmim.layers.scaled_cosine_attention import ScaledCosineAttention
from tf_simmim.layers.self_attention import SelfAttention
from tf_simmim.layers.simple_feature_pyramid import SimpleFeaturePyramid
from tf_simmim.layers.sincos_position_embedding import SinCosPositionEmbedding
from tf_simmim.layers.swin_block import SwinBlock
from tf_simmim.layers.swin_v2_block import SwinV2Block
from tf_simmim.layers.sync_batch_normalization import SyncBatchNormalization
from tf_simmim.layers.transformer_block import TransformerBlock
from tf_simmim.layers.truncated_normal import TruncatedNormal

__all__ = [
    "MLP",
    "ClassToken",
    "ContinuousPositionBias",
    "CrossAttentionBlock",
    "DropPath",
    "FanInUniform",
    "FeaturePyramid",
    "LayerScale",
    "LearnedPositionEmbedding",
    "MaskColor",
    "MaskToken",
    "SelfAttention",
    "NormalizedConvolution",
    "PatchEmbedding",
    "PatchMerging",
    "RegisterTokens",
    "RelativePositionBias",
    "ScaledCosineAttention",
    "SimpleFeaturePyramid",
    "SinCosPositionEmbedding",
    "SwinBlock",
    "SwinV2Block",
    "SyncBatchNormalization",
    "TransformerBlock",
    "TruncatedNormal",
    "enlarge",
]

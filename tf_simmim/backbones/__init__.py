"""Backbones: networks without heads, and a table of presets."""

from tf_simmim.backbones.convolutional import Convolutional
from tf_simmim.backbones.presets import PRESETS
from tf_simmim.backbones.presets import backbone_class
from tf_simmim.backbones.presets import create
from tf_simmim.backbones.swin import Swin
from tf_simmim.backbones.vit import ViT

__all__ = [
    "PRESETS",
    "Convolutional",
    "Swin",
    "ViT",
    "backbone_class",
    "create",
]

"""Backbones: networks without heads, and a table of presets.

A backbone is called with images and a mask and returns a feature map; see
`Backbone` for what every one can be asked.
"""

from tf_simmim.backbones.block_plan import BlockPlan
from tf_simmim.backbones.classification import for_classification
from tf_simmim.backbones.convolutional import Convolutional
from tf_simmim.backbones.presets import PRESETS
from tf_simmim.backbones.presets import backbone_class
from tf_simmim.backbones.presets import create
from tf_simmim.backbones.swin import Swin
from tf_simmim.backbones.vit import ViT

__all__ = [
    "PRESETS",
    "BlockPlan",
    "Convolutional",
    "Swin",
    "ViT",
    "backbone_class",
    "create",
    "for_classification",
]

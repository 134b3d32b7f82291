"""Backbones: networks without heads, and a table of presets.

A backbone is called with images and a mask and returns a feature map. One
that can leave the visible cells out of its last block, whose output there is
not needed for the loss, says so and has two more methods:

    backbone.prunes_last_block                               # bool
    x = backbone.before_last_block(images, patch_mask, training, seed)
    backbone.last_block(x, cells, training, seed)            # [B, n, D]
    backbone.last_block(x, None, training, seed)             # [B, h, w, D]

The last line equals a call, the one before it the same at `cells`, int32
[B, n]; so do their gradients.
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

"""Losses and their targets: pure functions."""

from tf_simmim.losses.classification import class_targets
from tf_simmim.losses.classification import cross_entropy
from tf_simmim.losses.classification import top_k_accuracy
from tf_simmim.losses.detection import count_positives
from tf_simmim.losses.detection import detection_losses
from tf_simmim.losses.masked_reconstruction import LOSSES
from tf_simmim.losses.masked_reconstruction import elementwise_error
from tf_simmim.losses.masked_reconstruction import masked_reconstruction_loss
from tf_simmim.losses.masked_reconstruction import shares_of_loss
from tf_simmim.losses.segmentation import count_pixels
from tf_simmim.losses.segmentation import segmentation_loss
from tf_simmim.losses.targets import TARGETS
from tf_simmim.losses.targets import from_patches
from tf_simmim.losses.targets import target_statistics
from tf_simmim.losses.targets import to_patches

__all__ = [
    "LOSSES",
    "TARGETS",
    "class_targets",
    "count_pixels",
    "count_positives",
    "cross_entropy",
    "detection_losses",
    "elementwise_error",
    "from_patches",
    "masked_reconstruction_loss",
    "segmentation_loss",
    "shares_of_loss",
    "target_statistics",
    "to_patches",
    "top_k_accuracy",
]

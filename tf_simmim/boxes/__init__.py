"""Boxes of objects: anchors, what they are to learn, and detections."""

from tf_simmim.boxes.anchors import ANCHORS_PER_CELL
from tf_simmim.boxes.anchors import create_anchors
from tf_simmim.boxes.anchors import detection_strides
from tf_simmim.boxes.offsets import decode_boxes
from tf_simmim.boxes.offsets import encode_boxes
from tf_simmim.boxes.suppression import Suppression
from tf_simmim.boxes.targets import BACKGROUND
from tf_simmim.boxes.targets import IGNORED
from tf_simmim.boxes.targets import AnchorTargets

__all__ = [
    "ANCHORS_PER_CELL",
    "BACKGROUND",
    "IGNORED",
    "AnchorTargets",
    "Suppression",
    "create_anchors",
    "decode_boxes",
    "detection_strides",
    "encode_boxes",
]

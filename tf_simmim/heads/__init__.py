"""Heads: what turns a backbone's features into a prediction."""

from tf_simmim.heads.classification_head import ClassificationHead
from tf_simmim.heads.cross_attention_head import CrossAttentionHead
from tf_simmim.heads.decoder_head import DecoderHead
from tf_simmim.heads.detection_head import DetectionHead
from tf_simmim.heads.mlp_head import MLPHead
from tf_simmim.heads.prediction_head import PredictionHead
from tf_simmim.heads.segmentation_head import SegmentationHead
from tf_simmim.heads.table import HEADS
from tf_simmim.heads.table import create
from tf_simmim.heads.table import create_for

__all__ = [
    "HEADS",
    "ClassificationHead",
    "CrossAttentionHead",
    "DecoderHead",
    "DetectionHead",
    "MLPHead",
    "PredictionHead",
    "SegmentationHead",
    "create",
    "create_for",
]

"""How good a backbone is, measured without training it further."""

from tf_simmim.evaluation.classification import ClassificationReport
from tf_simmim.evaluation.classification import classification_report
from tf_simmim.evaluation.classification import predict_logits
from tf_simmim.evaluation.detection import DetectionReport
from tf_simmim.evaluation.detection import detection_report
from tf_simmim.evaluation.feature_cache import FeatureCache
from tf_simmim.evaluation.feature_cache import weights_digest
from tf_simmim.evaluation.features import FeatureExtractor
from tf_simmim.evaluation.features import extract_features
from tf_simmim.evaluation.features import raw_pixel_features
from tf_simmim.evaluation.few_shot import draw_few
from tf_simmim.evaluation.few_shot import few_shot_accuracies
from tf_simmim.evaluation.hole_filling import FILLS
from tf_simmim.evaluation.logistic import LogisticProbe
from tf_simmim.evaluation.nearest_images import nearest_images
from tf_simmim.evaluation.nearest_neighbours import knn_accuracy
from tf_simmim.evaluation.nearest_neighbours import knn_accuracy_by_block
from tf_simmim.evaluation.nearest_neighbours import knn_predictions
from tf_simmim.evaluation.probe_data import ProbeData
from tf_simmim.evaluation.probe_data import probe_blocks
from tf_simmim.evaluation.probing import PROTOCOLS
from tf_simmim.evaluation.probing import ProbeSettings
from tf_simmim.evaluation.probing import probe_features
from tf_simmim.evaluation.reconstruction import reconstruction_loss
from tf_simmim.evaluation.reconstruction_quality import format_quality
from tf_simmim.evaluation.reconstruction_quality import reconstruction_errors
from tf_simmim.evaluation.reconstruction_quality import reconstruction_quality
from tf_simmim.evaluation.report import format_report
from tf_simmim.evaluation.report import probe_report
from tf_simmim.evaluation.ridge import RidgeProbe
from tf_simmim.evaluation.score import Score
from tf_simmim.evaluation.segmentation import SegmentationReport
from tf_simmim.evaluation.sgd_probe import sgd_predictions

__all__ = [
    "FILLS",
    "PROTOCOLS",
    "ClassificationReport",
    "DetectionReport",
    "FeatureCache",
    "FeatureExtractor",
    "LogisticProbe",
    "ProbeData",
    "ProbeSettings",
    "RidgeProbe",
    "Score",
    "SegmentationReport",
    "classification_report",
    "detection_report",
    "draw_few",
    "extract_features",
    "few_shot_accuracies",
    "format_quality",
    "format_report",
    "knn_accuracy",
    "knn_accuracy_by_block",
    "knn_predictions",
    "nearest_images",
    "predict_logits",
    "probe_blocks",
    "probe_features",
    "probe_report",
    "raw_pixel_features",
    "reconstruction_errors",
    "reconstruction_loss",
    "reconstruction_quality",
    "sgd_predictions",
    "weights_digest",
]

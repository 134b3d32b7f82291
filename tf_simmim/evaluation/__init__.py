"""How good a backbone is, measured without training it further."""

from tf_simmim.evaluation.classification import ClassificationReport
from tf_simmim.evaluation.classification import classification_report
from tf_simmim.evaluation.classification import predict_logits
from tf_simmim.evaluation.features import extract_features
from tf_simmim.evaluation.features import raw_pixel_features
from tf_simmim.evaluation.nearest_neighbours import knn_accuracy
from tf_simmim.evaluation.nearest_neighbours import knn_accuracy_by_block
from tf_simmim.evaluation.reconstruction import reconstruction_loss
from tf_simmim.evaluation.report import format_report
from tf_simmim.evaluation.report import knn_report

__all__ = [
    "ClassificationReport",
    "classification_report",
    "extract_features",
    "format_report",
    "knn_accuracy",
    "knn_accuracy_by_block",
    "knn_report",
    "predict_logits",
    "raw_pixel_features",
    "reconstruction_loss",
]

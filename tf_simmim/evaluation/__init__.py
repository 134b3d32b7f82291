"""How good a backbone is, measured without training it further."""

from tf_simmim.evaluation.features import extract_features
from tf_simmim.evaluation.features import raw_pixel_features
from tf_simmim.evaluation.hole_filling import FILLS
from tf_simmim.evaluation.nearest_images import nearest_images
from tf_simmim.evaluation.nearest_neighbours import knn_accuracy
from tf_simmim.evaluation.nearest_neighbours import knn_accuracy_by_block
from tf_simmim.evaluation.reconstruction import reconstruction_loss
from tf_simmim.evaluation.reconstruction_quality import format_quality
from tf_simmim.evaluation.reconstruction_quality import reconstruction_errors
from tf_simmim.evaluation.reconstruction_quality import reconstruction_quality
from tf_simmim.evaluation.report import format_report
from tf_simmim.evaluation.report import knn_report

__all__ = [
    "FILLS",
    "extract_features",
    "format_quality",
    "format_report",
    "knn_accuracy",
    "knn_accuracy_by_block",
    "knn_report",
    "nearest_images",
    "raw_pixel_features",
    "reconstruction_errors",
    "reconstruction_loss",
    "reconstruction_quality",
]

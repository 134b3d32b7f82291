"""Metrics that models keep while they train."""

from tf_simmim.metrics.finite_mean import FiniteMean
from tf_simmim.metrics.segmentation_scores import SegmentationScores
from tf_simmim.metrics.skipped_steps import SkippedSteps

__all__ = [
    "FiniteMean",
    "SegmentationScores",
    "SkippedSteps",
]

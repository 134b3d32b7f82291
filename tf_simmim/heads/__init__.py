"""Heads: what turns a backbone's features into a prediction."""

from tf_simmim.heads.prediction_head import PredictionHead

__all__ = ["PredictionHead"]

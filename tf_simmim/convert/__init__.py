"""Weights of other implementations and sizes: complete, or refused."""

from tf_simmim.convert.position_resampling import resample_position_embedding
from tf_simmim.convert.position_resampling import (
    resample_relative_position_bias,
)
from tf_simmim.convert.reference import load_reference_weights
from tf_simmim.convert.reference import reference_weight_maps
from tf_simmim.convert.reference import reference_weights
from tf_simmim.convert.transfer import transfer_training
from tf_simmim.convert.transfer import transfer_weights
from tf_simmim.convert.transfer_report import TransferReport
from tf_simmim.convert.weight_map import WeightMap

__all__ = [
    "TransferReport",
    "WeightMap",
    "load_reference_weights",
    "reference_weight_maps",
    "reference_weights",
    "resample_position_embedding",
    "resample_relative_position_bias",
    "transfer_training",
    "transfer_weights",
]

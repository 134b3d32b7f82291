"""Weights of other implementations into our models: complete, or refused."""

from tf_simmim.convert.reference import load_reference_weights
from tf_simmim.convert.reference import reference_weight_maps
from tf_simmim.convert.reference import reference_weights
from tf_simmim.convert.weight_map import WeightMap

__all__ = [
    "WeightMap",
    "load_reference_weights",
    "reference_weight_maps",
    "reference_weights",
]

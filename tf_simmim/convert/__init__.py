"""Weights of other implementations and sizes: complete, or refused."""

from tf_simmim.convert.conversion import Conversion
from tf_simmim.convert.conversion import convert_weights
from tf_simmim.convert.conversion_report import ConversionReport
from tf_simmim.convert.hugging_face_config import read_hugging_face_config
from tf_simmim.convert.model_facts import ModelFacts
from tf_simmim.convert.position_resampling import resample_position_embedding
from tf_simmim.convert.position_resampling import (
    resample_relative_position_bias,
)
from tf_simmim.convert.reference import load_reference_weights
from tf_simmim.convert.reference import reference_weight_maps
from tf_simmim.convert.reference import reference_weights
from tf_simmim.convert.safetensors_file import read_safetensors
from tf_simmim.convert.safetensors_file import write_safetensors
from tf_simmim.convert.torch_file import read_torch
from tf_simmim.convert.transfer import transfer_training
from tf_simmim.convert.transfer import transfer_weights
from tf_simmim.convert.transfer_report import TransferReport
from tf_simmim.convert.weight_map import WeightMap
from tf_simmim.convert.weights_file import WeightsFile
from tf_simmim.convert.weights_file import open_weights

Known = ModelFacts  # its name in 0.1.0

__all__ = [
    "Conversion",
    "ConversionReport",
    "Known",
    "ModelFacts",
    "TransferReport",
    "WeightMap",
    "WeightsFile",
    "convert_weights",
    "load_reference_weights",
    "open_weights",
    "read_hugging_face_config",
    "read_safetensors",
    "read_torch",
    "reference_weight_maps",
    "reference_weights",
    "resample_position_embedding",
    "resample_relative_position_bias",
    "transfer_training",
    "transfer_weights",
    "write_safetensors",
]

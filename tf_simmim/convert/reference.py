"""Weights of the reference implementation into our models, and back.

The reference is https://github.com/microsoft/SimMIM (PyTorch). Weights come
as {parameter name: NumPy array} in its layouts; nothing here needs PyTorch.
"""

from collections.abc import Mapping

import numpy as np

from tf_simmim import backbones
from tf_simmim.convert.reference_swin import swin_weight_maps
from tf_simmim.convert.reference_vit import vit_weight_maps
from tf_simmim.convert.weight_map import WeightMap
from tf_simmim.convert.weight_map import classification_head
from tf_simmim.convert.weight_map import pixel_shuffle_head
from tf_simmim.models import registry

_WEIGHT_MAPS = {
    backbones.ViT: vit_weight_maps,
    backbones.Swin: swin_weight_maps,
}


def reference_weight_maps(model) -> list[WeightMap]:
    """Returns the correspondence of every weight of a model.

    A classifier's mask token, which the reference's does not have, is left
    out.

    Args:
        model: `models.SimMIM` or `models.Classifier`, of one of these, or
            `backbones.ViT` or `backbones.Swin`.

    Raises:
        ValueError: another kind of model, or options the reference lacks.
    """
    maps_of = _of_backbone
    backbone = model
    if hasattr(model, "backbone"):
        maps_of = _OF_MODELS.get(registry.kind_of(model).name)
        backbone = model.backbone
    for kind, weight_maps in _WEIGHT_MAPS.items():
        if maps_of is not None and isinstance(backbone, kind):
            return maps_of(model, weight_maps)
    raise ValueError(
        "`model` must be a backbones.ViT or backbones.Swin, or a models.SimMIM "
        f"or models.Classifier of one. Received: {type(model).__name__} of "
        f"{type(backbone).__name__}."
    )


def _of_backbone(backbone, weight_maps):
    return weight_maps(backbone)


def _of_simmim(model, weight_maps):
    backbone = model.backbone
    if model.head_name != "linear":
        raise ValueError(
            "`model` must have a linear head, as the reference's. "
            f"Received: head={model.head_name!r}."
        )
    return weight_maps(backbone, "encoder.") + pixel_shuffle_head(
        "decoder.0", model.head, backbone.channels, backbone.stride
    )


def _of_classifier(model, weight_maps):
    maps = weight_maps(model.backbone)
    maps = [m for m in maps if m.name != "mask_token"]
    return maps + classification_head(model.head)


# By the kind of the model.
_OF_MODELS = {"simmim": _of_simmim, "classifier": _of_classifier}


def load_reference_weights(model, weights: Mapping[str, np.ndarray]) -> None:
    """Sets every weight of a model from the reference's, or none of them.

    Args:
        model: `models.SimMIM` (names start with `encoder.` and `decoder.`),
            `models.Classifier` or a backbone (names without prefix).
        weights: {the reference's parameter name: array in its layout}. Arrays
            or lists of numbers: nothing that is still a file, and no objects.

    Raises:
        ValueError: `weights` is no such mapping; or a name is missing,
            unknown, or has another shape; the message lists all of them. No
            weight has been changed.
    """
    maps = {m.name: m for m in reference_weight_maps(model)}
    weights = _arrays(weights)
    missing = sorted(maps.keys() - weights.keys())
    unknown = sorted(weights.keys() - maps.keys())
    misshapen = [
        f"{name}: {np.shape(weights[name])}, needed {m.reference_shape}"
        for name, m in maps.items()
        if name in weights and np.shape(weights[name]) != m.reference_shape
    ]
    if missing or unknown or misshapen:
        raise ValueError(
            "`weights` must hold exactly the model's parameters, under the "
            f"reference's names. Missing: {missing or 'none'}. "
            f"Unknown: {unknown or 'none'}. "
            f"Of another shape: {misshapen or 'none'}."
        )
    for name, m in maps.items():
        m.variable.assign(m.to_ours(weights[name]))


def _arrays(weights):
    """Returns {name: array of numbers}, or refuses anything else."""
    if not isinstance(weights, Mapping):
        raise ValueError(
            "`weights` must be a mapping from names to NumPy arrays; files are "
            "not opened here, because many kinds of them run what is in them. "
            f"Received: {type(weights).__name__}."
        )
    arrays = {}
    for name, value in weights.items():
        # A data set of an HDF5 file may take its bytes from any other file.
        if not isinstance(value, np.ndarray | list | tuple | np.generic):
            raise ValueError(
                "`weights` must hold NumPy arrays or lists of numbers. "
                f"Received: {name} of type {type(value).__name__}."
            )
        arrays[name] = np.asarray(value)
        if arrays[name].dtype.kind not in "fiu":
            raise ValueError(
                "`weights` must hold real numbers. "
                f"Received: {name} of dtype {arrays[name].dtype}."
            )
    return arrays


def reference_weights(model) -> dict[str, np.ndarray]:
    """Returns a model's weights under the reference's names and layouts."""
    return {
        m.name: m.to_reference(m.variable.numpy())
        for m in reference_weight_maps(model)
    }

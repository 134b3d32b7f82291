"""The kinds of models that files name, and what each is to other packages.

A new model is one file and one row here; one that lives elsewhere registers
itself:

    registry.register(registry.ModelKind("mine", MyModel))

and can then be saved, loaded by `training.load_pretrained` and exported.
"""

import dataclasses
from collections.abc import Callable

import tensorflow as tf

from tf_simmim import boxes
from tf_simmim.models.classifier import Classifier
from tf_simmim.models.detector import Detector
from tf_simmim.models.segmenter import Segmenter
from tf_simmim.models.simmim import SimMIM

# `embed_dim` of prediction heads with blocks of their own.
_HEAD_WIDTH = 256


def _no_weights(config, plan):
    return 0


def mean_features(model, feature_map) -> tf.Tensor:
    """Returns the mean of a feature map, [B, h, w, D] -> [B, D]."""
    return tf.reduce_mean(feature_map, axis=[1, 2])


@dataclasses.dataclass(frozen=True)
class ModelKind:
    """What a kind of model is to the files and programs that name it.

    Args:
        name: str. In model.json, run.json, manifests and exports, for good.
        model: class, `model(backbone, **config)`, whose `get_config` gives
            `backbone`, serialized, and plain values of these arguments.
        num_head_weights: function (config, `BlockPlan`) -> int: how many
            weights there are at the least besides those of the backbone, by
            the configuration alone. A loader refuses sizes by it before it
            builds anything.
        pool: function (model, feature map [B, h, w, D]) -> features [B, D]
            that stand for an image.
        signatures: tuple. What an export can be asked besides features: names
            of functions of `export.Signatures`, or functions
            (`export.Signatures`) -> {name: function of tensors}, whose
            arguments are named and answered as there.
        crop: str. Class in `tf_simmim.data` that held-out images go through
            where the run does not say.
    """

    name: str
    model: type
    num_head_weights: Callable = _no_weights
    pool: Callable = mean_features
    signatures: tuple = ()
    crop: str = "ResizeAndCentreCrop"


_KINDS = {}


def register(kind: ModelKind) -> ModelKind:
    """Adds a kind of model to the table.

    Args:
        kind: `ModelKind`.

    Returns:
        It.

    Raises:
        ValueError: another class has that name.
    """
    before = _KINDS.setdefault(kind.name, kind)
    if before.model is not kind.model:
        raise ValueError(
            f"`kind` must have a name of its own. Received: {kind.name!r}, "
            f"the name of {before.model.__name__}."
        )
    _KINDS[kind.name] = kind
    return kind


def find(name) -> ModelKind:
    """Returns the kind of that name.

    Raises:
        ValueError: there is none.
    """
    if not isinstance(name, str) or name not in _KINDS:
        raise ValueError(
            f"the kind of a model must be one of {sorted(_KINDS)}. "
            f"Received: {name!r}."
        )
    return _KINDS[name]


def kind_of(model) -> ModelKind:
    """Returns the kind that a model is of: of its class, or the nearest base.

    Raises:
        ValueError: its class is not registered.
    """
    by_class = {kind.model: kind for kind in _KINDS.values()}
    for cls in type(model).__mro__:
        if cls in by_class:
            return by_class[cls]
    raise ValueError(
        "`model` must be of a class that `models.registry` knows. "
        f"Received: {type(model).__name__}."
    )


def _number_of_classes(config, least):
    """Returns the number of classes, a number to reckon with."""
    num_classes = config.get("num_classes")
    if type(num_classes) is not int or num_classes < least:
        raise ValueError(
            f"`num_classes` must be an int of {least} or more. "
            f"Received: {num_classes!r}."
        )
    return num_classes


def _prediction_weights(config, plan):
    # The last kernel. Heads with blocks of their own have a width of their own.
    width = plan.num_features
    if config.get("head") in ("decoder", "cross_attention"):
        width = min(width, _HEAD_WIDTH)
    return plan.stride**2 * plan.channels * width


def _classification_weights(config, plan):
    return _number_of_classes(config, 2) * plan.num_features


def _segmentation_weights(config, plan):
    num_classes = _number_of_classes(config, 2)
    return _dense_weights(config["width"], 1, num_classes)


def _detection_weights(config, plan):
    num_outputs = 3**2 * boxes.ANCHORS_PER_CELL * _number_of_classes(config, 1)
    return _dense_weights(
        config["width"], config.get("num_convolutions", 1), num_outputs
    )


def _dense_weights(width, num_convolutions, num_outputs):
    # Convolutions of 3 x 3: one in the pyramid at the least, and the head's.
    return (1 + num_convolutions) * 3**2 * width**2 + width * num_outputs


def _pooled_by_the_head(model, feature_map):
    return model.head.pool(feature_map)


register(
    ModelKind(
        "simmim",
        SimMIM,
        _prediction_weights,
        signatures=("reconstruct", "reconstruct_random", "reconstruct_png"),
    )
)
register(
    ModelKind(
        "classifier",
        Classifier,
        _classification_weights,
        pool=_pooled_by_the_head,
        signatures=("predict", "classify"),
        crop="EvaluationCrop",
    )
)
register(ModelKind("segmenter", Segmenter, _segmentation_weights))
register(ModelKind("detector", Detector, _detection_weights))

"""The model that a run's model.json describes, and nothing else.

Keras builds whatever class a configuration names, and imports the module that
it names for it. A run's folder may come from a stranger, so here the file is
data: it chooses among our backbones and fills in numbers and words.
"""

import inspect
import json
import math
from pathlib import Path

import tensorflow as tf

from tf_simmim import atomic_file
from tf_simmim import backbones
from tf_simmim.models import registry
from tf_simmim.run import release_0_1

_MAX_BYTES = 1 << 20
# A grid of 128 x 128. Attention over more would need gigabytes per image.
_MAX_PATCHES = 1 << 14
# Attention in windows: the grid itself may have twice the sides.
_WINDOWED = 4
# Of a convolutional network, whose images may be 1024 x 1024.
_PIXELS_PER_PATCH = 64
_BYTES_PER_WEIGHT = 4


def read_model(file, checkpoint_bytes: int) -> tf.keras.Model:
    """Builds the model of a `model.json`, with fresh weights.

    Args:
        file: path of the file that `RunDirectory.write_model` wrote.
        checkpoint_bytes: int. Size of the run's largest checkpoint. A model
            with more weights is refused before it takes the memory.

    Returns:
        A model of a kind in `models.registry`, not compiled.

    Raises:
        ValueError: the file is not such a file, names another class than the
            backbones of `tf_simmim.backbones`, or describes a model that
            cannot be built or that has no place in the checkpoint.
    """
    file = Path(file)
    return build_model(read_json(file), file, checkpoint_bytes)


def build_model(
    document,
    file,
    checkpoint_bytes: int,
    *,
    changes=None,
    backbone_changes=None,
) -> tf.keras.Model:
    """Builds the model that a file describes, with fresh weights.

    Args:
        document: what model.json or a manifest says of the model:
            `run.ModelRecord.as_json`, or the configuration alone of release
            0.1.0.
        file: path of the file that it was in, for errors.
        checkpoint_bytes: int, as of `read_model`.
        changes: {name: value} of the model's arguments that are to be others
            than the file says, or None.
        backbone_changes: the same of its backbone's.

    Returns:
        A model of a kind in `models.registry`, not compiled.

    Raises:
        ValueError: as from `read_model`.
    """
    file = Path(file)
    record = release_0_1.model_record(document, file)
    try:
        kind = registry.find(record.kind)
        config = dict(record.config)
        backbone = config.pop("backbone")
        name, options = backbone["registered_name"], dict(backbone["config"])
    except (KeyError, TypeError) as error:
        raise _refusal(file, "it describes no backbone") from error
    except ValueError as error:
        raise _refusal(file, str(error).rstrip(".")) from error
    known = _backbone_classes()
    if not isinstance(name, str) or name not in known:
        raise _refusal(
            file, f"the backbone must be one of {sorted(known)}, not {name!r}"
        )
    config |= changes or {}
    options |= backbone_changes or {}
    _require_plain(file, options, known[name])
    _require_plain(file, config, kind.model)
    try:
        plan = known[name].plan(options)
        _require_attention(plan)
        num_head_weights = kind.num_head_weights(config, plan)
        _require_bytes(plan.num_weights, num_head_weights, checkpoint_bytes)
        return kind.model(known[name](**options), **config)
    except Exception as error:  # whatever a wrong value leads to
        why = str(error).partition("\n")[0].rstrip(".")
        raise _refusal(file, f"no model can be built from it: {why}") from error


def _backbone_classes():
    """Returns {name in configurations: class} of our own backbones."""
    public = (getattr(backbones, name) for name in backbones.__all__)
    return {
        tf.keras.saving.get_registered_name(value): value
        for value in public
        if inspect.isclass(value) and issubclass(value, tf.keras.Model)
    }


def read_json(file):
    """Returns what a file of JSON holds, of a reasonable size.

    Raises:
        ValueError: it is no such file.
    """
    try:
        content = atomic_file.read_bytes(file, _MAX_BYTES + 1)
        if len(content) > _MAX_BYTES:
            raise _refusal(file, f"it has more than {_MAX_BYTES} bytes")
        return json.loads(content)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise _refusal(file, "it is not JSON") from error
    except OSError as error:
        raise _refusal(file, error.strerror or str(error)) from error


def _require_plain(file, options, cls):
    """Refuses what is no argument of `cls`, and values that are objects."""
    parameters = inspect.signature(cls.__init__).parameters.values()
    # `**kwargs` would take names that Keras gives a meaning to.
    names = {p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD}
    if not isinstance(options, dict) or not options.keys() <= names - {"self"}:
        raise _refusal(file, f"it holds what is no argument of {cls.__name__}")
    for name, value in options.items():
        values = value if isinstance(value, list) else [value]
        if not all(
            v is None or isinstance(v, str | int | float) for v in values
        ):
            raise _refusal(
                file, f"`{name}` must be a number, a word or a list of these"
            )


def _require_attention(plan):
    """Refuses images of more patches than could have been trained with."""
    num_patches = math.prod(plan.grid_size)
    attended = min(plan.attended, num_patches)
    counts = {
        "patches in one attention": (attended, _MAX_PATCHES),
        "patches": (num_patches, _WINDOWED * _MAX_PATCHES),
    }
    if not attended:
        most = _PIXELS_PER_PATCH * _MAX_PATCHES
        counts = {"pixels": (math.prod(plan.image_size), most)}
    for unit, (count, most) in counts.items():
        if count > most:
            raise ValueError(
                f"an image may have at most {most} {unit}. "
                f"Received: {count}, with image_size={plan.image_size}."
            )


def _require_bytes(num_weights, num_head_weights, checkpoint_bytes):
    num_bytes = _BYTES_PER_WEIGHT * (num_weights + num_head_weights)
    is_possible = num_weights > 0 and num_head_weights >= 0
    if not is_possible or not num_bytes <= checkpoint_bytes:
        raise ValueError(
            f"its weights need {num_bytes / 1e6:,.1f} MB, and the largest "
            f"checkpoint of the run has {checkpoint_bytes / 1e6:,.1f} MB"
        )


def _refusal(file, why):
    return ValueError(
        f"`path` must hold a {file.name} that tf_simmim has written. "
        f"Received: {file}; {why}."
    )

"""What Hugging Face's config.json says of a model, and its weights do not."""

import json
from pathlib import Path

from tf_simmim import atomic_file
from tf_simmim.convert.model_facts import ModelFacts

_MAX_BYTES = 1 << 20
_MODEL_TYPES = (
    "vit",
    "swin",
    "deit",
    "beit",
    "data2vec-vision",
    "vit_mae",
    "dinov2",
    "dinov2_with_registers",
)
# Its Swin takes this one in some of the norms, whatever is configured.
_SWIN_EPSILON = 1e-5


def read_hugging_face_config(path) -> ModelFacts:
    """Returns what a config.json tells.

    Args:
        path: path of the file. Where it has no `model_type` (timm's has none),
            it tells nothing.

    Returns:
        `ModelFacts`.

    Raises:
        ValueError: it is no JSON object; or of another kind of model, or one
            with an activation or norms that no backbone here has.
    """
    path = Path(path)
    try:
        config = json.loads(atomic_file.read_bytes(path, _MAX_BYTES))
    except (OSError, ValueError, RecursionError) as error:
        raise _refusal(path, "it is not JSON that can be read") from error
    if not isinstance(config, dict):
        raise _refusal(path, "it is no JSON object")
    kind = config.get("model_type")
    if kind is None:
        return ModelFacts()
    if kind not in _MODEL_TYPES:
        raise _refusal(
            path, f"model_type is {kind!r}, and may be one of {_MODEL_TYPES}"
        )
    if config.get("hidden_act", "gelu") != "gelu":
        raise _refusal(
            path, f"hidden_act is {config['hidden_act']!r}, and may be 'gelu'"
        )
    epsilon = config.get("layer_norm_eps")
    if kind == "swin" and epsilon not in (None, _SWIN_EPSILON):
        raise _refusal(
            path,
            f"layer_norm_eps is {epsilon}, and may be {_SWIN_EPSILON}: some "
            "norms of this Swin have that one in any case",
        )
    try:
        return ModelFacts(
            image_size=_size(config.get("image_size")),
            num_heads=config.get("num_attention_heads")
            if kind != "swin"
            else None,
            window_size=_size(config.get("window_size")),
            epsilon=epsilon,
        )
    except (TypeError, ValueError) as error:
        raise _refusal(path, f"a number is not possible: {error}") from error


def _size(value):
    return tuple(value) if isinstance(value, list) else value


def _refusal(path, why):
    return ValueError(
        "`path` must be a config.json of a ViT or Swin that can be built here. "
        f"Received: {path}; {why}."
    )

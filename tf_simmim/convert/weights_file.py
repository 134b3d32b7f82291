"""Opening weights, whatever kind of file they are in."""

import dataclasses
from pathlib import Path

import numpy as np

from tf_simmim.convert import hugging_face_config
from tf_simmim.convert import safetensors_file
from tf_simmim.convert import torch_file
from tf_simmim.convert.model_facts import ModelFacts

_CONFIG = "config.json"
# What is in Hugging Face's folders, the safer one first.
_IN_FOLDERS = ("model.safetensors", "pytorch_model.bin")
_TORCH_ENDINGS = (".pth", ".pt", ".bin")


@dataclasses.dataclass(frozen=True)
class WeightsFile:
    """What a file of weights holds, and what lies beside it.

    Attributes:
        path: pathlib.Path of the file itself.
        weights: {name: array}.
        others: {name: what it is}, of entries that are no weights.
        facts: `ModelFacts`, from a config.json beside the file.
    """

    path: Path
    weights: dict[str, np.ndarray]
    others: dict[str, str]
    facts: ModelFacts


def open_weights(path, entry: str = "") -> WeightsFile:
    """Reads weights from a file, or from a folder of Hugging Face's.

    Args:
        path: path of a .safetensors or .pth (.pt, .bin) file, or of a folder
            with model.safetensors or pytorch_model.bin.
        entry: str. Which entry of a .pth holds the weights; see `read_torch`.

    Raises:
        ValueError: there is no such file; it or its config.json is damaged, or
            not of this kind.
        ImportError: it is a .pth, and PyTorch is not installed.
    """
    file = _file(Path(path))
    config = file.with_name(_CONFIG)
    facts = ModelFacts()
    if config.is_file():
        facts = hugging_face_config.read_hugging_face_config(config)
    if file.suffix in _TORCH_ENDINGS:
        weights, others = torch_file.read_torch(file, entry)
        return WeightsFile(file, weights, others, facts)
    if entry:
        raise ValueError(
            f"`entry` is for {', '.join(_TORCH_ENDINGS)} files. "
            f"Received: {entry!r} and {file}."
        )
    return WeightsFile(file, safetensors_file.read_safetensors(file), {}, facts)


def _file(path):
    if not path.is_dir():
        return path
    for name in _IN_FOLDERS:
        if (path / name).is_file():
            return path / name
    raise ValueError(
        "`path` must be a file of weights, or a folder with "
        f"{' or '.join(_IN_FOLDERS)}. Received: {path}."
    )

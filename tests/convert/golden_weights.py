"""Weights and outputs of the reference implementation, from tests/golden."""

import functools
import json
import pathlib

import numpy as np

_FOLDER = pathlib.Path(__file__).parents[1] / "golden"


@functools.cache
def load(name):
    """Returns ({name: array} of weights, {name: array} of the rest, config).

    Args:
        name: str. File in tests/golden, without its ending.
    """
    with np.load(_FOLDER / f"{name}.npz") as archive:
        arrays = {key: archive[key] for key in archive.files}
    meta = json.loads(bytes(arrays.pop("meta_json")))
    config = meta.get("config", meta)
    weights = {
        key.removeprefix("param/"): array
        for key, array in arrays.items()
        if key.startswith("param/")
    }
    return weights, arrays, config

"""Features on the disk, so that they are computed once.

Dimension key:
  N: number of images   D: width of the features
"""

import hashlib
import json
import re
import zipfile
from pathlib import Path

import numpy as np
from absl import logging

from tf_simmim import atomic_file

_FILE_NAME = re.compile(r"[0-9a-f]{32}\.npz")
_FORMAT = 1
# What damage makes of reading: a file cut short, foreign bytes, a header that
# asks for more memory than there is.
_READING_ERRORS = (
    OSError,
    ValueError,
    LookupError,
    EOFError,
    MemoryError,
    NotImplementedError,
    zipfile.BadZipFile,
)


def weights_digest(model) -> str:
    """Returns a word that changes when a weight of a Keras model does.

    Args:
        model: tf.keras.Model, built.

    Returns:
        str: SHA-256 of the shapes, types and values of its weights, of its
        configuration, and of the precision it computes in; not of names,
        which count the models of a process.
    """
    digest = hashlib.sha256()
    config = {**model.get_config(), "name": None}
    text = json.dumps(config, sort_keys=True, default=str)
    digest.update(f"{text} {model.dtype_policy.name}".encode())
    for weight in model.weights:
        value = weight.numpy()
        digest.update(f"{value.shape} {value.dtype}".encode())
        digest.update(value.tobytes())
    return digest.hexdigest()


class FeatureCache:
    """Arrays of features, in one file for each network and set of images.

    A file is read only if it is whole and was written for the same key;
    another is reported in one line of the log, and written anew.

    Args:
        folder: path, made if need be; None to keep nothing.

    Files: owns `*.npz` of 32 hexadecimal digits in `folder`. No pickled
        object is ever read.
    """

    def __init__(self, folder):
        self.folder = None if folder is None else Path(folder)
        self._used = set()

    def get(self, key, names, compute):
        """Returns features, from the disk as far as they are there.

        Args:
            key: JSON-able dict. All that the features depend on.
            names: sequence of str. Which features.
            compute: callable, list of the names that are not there ->
                ({name: float32 [N, D]}, int64 [N]), features and labels.

        Returns:
            ({name: float32 [N, D]}, int64 [N]), in the order of `names`.
        """
        key = json.dumps({"format": _FORMAT, **key}, sort_keys=True)
        path = None
        features, labels = {}, None
        if self.folder is not None and not self.folder.is_symlink():
            digest = hashlib.sha256(key.encode()).hexdigest()
            path = self.folder / f"{digest[:32]}.npz"
            self._used.add(path.name)
            if path.is_file():
                features, labels = _read_or_nothing(path, key)
        missing = [name for name in names if name not in features]
        if missing:
            computed, labels = compute(missing)
            features = {**features, **computed}
            if path is not None:
                _write(path, key, features, labels)
        return {name: features[name] for name in names}, labels

    def remove_old(self) -> None:
        """Removes the files that this object was not asked for."""
        if self.folder is None or self.folder.is_symlink():
            return
        for path in self.folder.glob("*.npz"):
            if _FILE_NAME.fullmatch(path.name) and path.name not in self._used:
                path.unlink(missing_ok=True)


def _read_or_nothing(path, key):
    try:
        features, labels = _read(path, key)
    except _READING_ERRORS as error:
        logging.warning(
            "%s is damaged (%s: %s): the features are computed again.",
            path,
            type(error).__name__,
            error,
        )
        return {}, None
    logging.info("Features of %d images are from %s.", len(labels), path)
    return features, labels


def _read(path, key):
    atomic_file.require_ordinary(path)
    with zipfile.ZipFile(path) as file:
        # As they are written: so no small file becomes a large array.
        if any(i.compress_type != zipfile.ZIP_STORED for i in file.infolist()):
            raise ValueError("it is compressed")
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    if str(arrays.pop("key")) != key:
        raise ValueError("it is of another network or other images")
    labels = arrays.pop("labels")
    if labels.dtype != np.int64 or labels.ndim != 1:
        raise ValueError(f"its labels are {labels.dtype} {labels.shape}")
    for name, array in arrays.items():
        if (
            array.dtype != np.float32
            or array.ndim != 2
            or len(array) != len(labels)
            or not np.isfinite(array).all()
        ):
            raise ValueError(f"{name} is {array.dtype} {array.shape}")
    return arrays, labels


def _write(path, key, features, labels):
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file.replacing(path) as file:
            np.savez(file, key=np.array(key), labels=labels, **features)
    except OSError as error:
        # A full disk costs time at the next evaluation, not this one.
        logging.error("Not written: %s (%s).", path, error.strerror)

"""Weights in .safetensors files: a header of names and shapes, then numbers.

Nothing in such a file can run. `safetensors` (the package) checks that header
and numbers fit together; here comes what it leaves open: how large a file may
be, numbers that are not finite, 16-bit floats that NumPy does not have.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import safetensors
from safetensors import numpy as safetensors_numpy

from tf_simmim import atomic_file

# Names and shapes of a ViT-L take 60 kB.
_MAX_HEADER_BYTES = 16 << 20
_HEADER_SIZE_BYTES = 8
# A Swin-L with its optimizer has 3 GB. A file is read into memory.
_MAX_FILE_BYTES = 32 << 30
_DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",  # the upper half of a float32
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U8": "u1",
    "BOOL": "?",
}


def read_safetensors(path) -> dict[str, np.ndarray]:
    """Returns the arrays of a .safetensors file.

    Args:
        path: path of the file.

    Returns:
        {name: array}. float16 stays so; bfloat16, which NumPy does not have,
        becomes float32, which is exact.

    Raises:
        ValueError: there is no such file, or it is damaged, too large, has a
            dtype without an equal here, or a number that is not finite. The
            message names the array.
    """
    path = Path(path)
    _require_sane_sizes(path)
    try:
        entries = safetensors.deserialize(path.read_bytes())
        arrays = {name: _array(name, entry) for name, entry in entries}
    except (safetensors.SafetensorError, ValueError) as error:
        why = str(error).removeprefix("Error while deserializing: ")
        raise _refusal(path, why.rstrip(".")) from error
    not_finite = [n for n, a in arrays.items() if not np.isfinite(a).all()]
    if not_finite:
        raise _refusal(
            path, f"numbers that are not finite are in {sorted(not_finite)}"
        )
    return arrays


def read_metadata(path) -> dict[str, str]:
    """Returns the free text that a .safetensors file carries beside arrays.

    Args:
        path: path of a file that `read_safetensors` accepts.
    """
    with safetensors.safe_open(str(path), framework="np") as file:
        return file.metadata() or {}


def write_safetensors(path, weights: Mapping[str, np.ndarray]) -> None:
    """Writes arrays as a new .safetensors file; it is whole or not there.

    Args:
        path: path of the file, ending in .safetensors, in a folder that exists.
        weights: {name: array}.

    Raises:
        ValueError: `path` has another ending, exists already, or cannot be
            written to.
    """
    path = Path(path)
    if path.suffix != ".safetensors" or path.exists():
        raise ValueError(
            "`path` must be a new file that ends in .safetensors. "
            f"Received: {path}{', which exists' if path.exists() else ''}."
        )
    # The package writes memory as it lies there, transposed or not.
    weights = {
        name: np.ascontiguousarray(array).reshape(np.shape(array))
        for name, array in weights.items()
    }
    # PyTorch's libraries want to be told whose layout it is.
    content = safetensors_numpy.save(weights, metadata={"format": "pt"})
    try:
        with atomic_file.replacing(path) as file:
            file.write(content)
    except OSError as error:
        raise ValueError(
            "`path` must be a file that can be written. "
            f"Received: {path} ({error.strerror})."
        ) from error


def _require_sane_sizes(path):
    """Refuses what is no file, and sizes that would take all memory."""
    if not path.is_file():
        raise _refusal(path, "there is no such file")
    num_bytes = path.stat().st_size
    if num_bytes > _MAX_FILE_BYTES:
        raise _refusal(path, f"it has more than {_MAX_FILE_BYTES} bytes")
    with open(path, "rb") as file:
        header_bytes = int.from_bytes(file.read(_HEADER_SIZE_BYTES), "little")
    allowed = min(_MAX_HEADER_BYTES, max(num_bytes - _HEADER_SIZE_BYTES, 0))
    if header_bytes > allowed:
        raise _refusal(
            path,
            f"its header is said to have {header_bytes} bytes, of {allowed} at "
            "most: it is cut off, or another kind of file",
        )


def _array(name, entry):
    if entry["dtype"] not in _DTYPES:
        raise ValueError(
            f"{name} is {entry['dtype']}, and may be one of {list(_DTYPES)}"
        )
    array = np.frombuffer(entry["data"], _DTYPES[entry["dtype"]])
    array = array.reshape(entry["shape"])
    if entry["dtype"] == "BF16":
        array = (array.astype("<u4") << 16).view("<f4")
    return array


def _refusal(path, why):
    return ValueError(
        f"`path` must be a sound .safetensors file. Received: {path}; {why}."
    )

"""Weights in PyTorch's own files (.pth), which are pickles: read by PyTorch.

A pickle is a program. `torch.load(weights_only=True)` runs only what is on
PyTorch's list of harmless functions; here that happens in another process
(`torch_reader.py`), which hands numbers over in a .safetensors file. That is no
sandbox: where a .safetensors file is to be had, take it.
"""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from tf_simmim.convert import safetensors_file

_READER = Path(__file__).with_name("torch_reader.py")
_TIMEOUT_SECONDS = 900
# Address space: PyTorch alone takes some 5 GB of it; the file is there twice.
_BASE_MEMORY_BYTES = 12 << 30
_MEMORY_PER_FILE_BYTE = 6


def read_torch(
    path, entry: str = ""
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Returns the tensors of a PyTorch file as arrays.

    Args:
        path: path of the file: a dictionary of tensors, or one with such a
            dictionary as `model` or `state_dict`.
        entry: str. Which entry holds the weights, where it is another one,
            e.g. "model_ema".

    Returns:
        ({name: array}, {name of what else is in the file: what it is}).

    Raises:
        ValueError: there is no such file; it is damaged, or holds more than
            tensors, numbers and words; or `entry` holds no weights.
        ImportError: PyTorch is not installed.

    Files: writes to a temporary folder, and removes it.
    """
    path = Path(path)
    if not path.is_file():
        raise _refusal(path, "there is no such file")
    if importlib.util.find_spec("torch") is None:
        raise ImportError(
            f"{path} is a file of PyTorch, which is not installed: pip install "
            "tf_simmim[torch]. Or convert it elsewhere to .safetensors, which "
            "needs no PyTorch here."
        )
    memory = _BASE_MEMORY_BYTES + _MEMORY_PER_FILE_BYTE * path.stat().st_size
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "weights.safetensors"
        command = [sys.executable, "-I", _READER, path.resolve(), target]
        try:
            result = subprocess.run(
                [*map(str, command), entry, str(memory)],
                cwd=folder,
                env={"PATH": os.defpath, "OMP_NUM_THREADS": "1"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_TIMEOUT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise _refusal(
                path, f"PyTorch took more than {_TIMEOUT_SECONDS} s"
            ) from error
        if result.returncode:
            raise _refusal(path, _reason(result))
        others = safetensors_file.read_metadata(target)["others"]
        return safetensors_file.read_safetensors(target), json.loads(others)


def _reason(result):
    lines = result.stderr.strip().splitlines()
    if result.returncode < 0 or not lines:
        return f"PyTorch ended with code {result.returncode}"
    return lines[-1]


def _refusal(path, why):
    return ValueError(
        "`path` must be a file of PyTorch with nothing but weights. "
        f"Received: {path}; {why}."
    )

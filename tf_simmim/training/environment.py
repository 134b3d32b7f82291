"""What a run ran on: the facts one needs to repeat it, or to explain it."""

import importlib.metadata
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import tensorflow as tf

_PACKAGES = (
    "tf_simmim",
    "tensorflow",
    "keras",
    "keras-cv",
    "tensorflow-addons",
    "tensorflow-datasets",
    "tensorflow-metadata",
    "protobuf",
    "numpy",
    "scikit-learn",
    "pillow",
)
_SETTING_PREFIXES = ("TF_", "XLA_", "OMP_", "CUDA_")


def describe_environment() -> dict:
    """Returns the versions, devices and settings of this process.

    Returns:
        JSON-able dict: `packages` {name: version or None}, `python`,
        `platform`, `cpu_count`, `devices`, `threads`, `settings` (environment
        variables that change TensorFlow's operations, such as
        TF_ENABLE_ONEDNN_OPTS), `commit` (of tf_simmim, None when it does not
        lie in a git checkout), `time` (UTC) and `command_line`.
    """
    return {
        "packages": {name: _version(name) for name in _PACKAGES},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu_count": os.cpu_count(),
        "devices": [d.name for d in tf.config.list_physical_devices()],
        "threads": {
            "intra_op": tf.config.threading.get_intra_op_parallelism_threads(),
            "inter_op": tf.config.threading.get_inter_op_parallelism_threads(),
        },
        "settings": {
            name: value
            for name, value in sorted(os.environ.items())
            if name.startswith(_SETTING_PREFIXES)
        },
        "commit": git_commit(Path(__file__)),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "command_line": sys.argv,
    }


def git_commit(file: Path):
    """Returns the commit that a source file belongs to.

    Args:
        file: path.

    Returns:
        str: the commit's name, with "-dirty" appended when tracked files were
        changed since; None when git does not track the file.
    """
    # Asking for the file, not the folder: an installed copy may well lie in
    # a virtual environment inside somebody else's checkout.
    if _git(file.parent, "ls-files", "--error-unmatch", file.name) is None:
        return None
    return _git(
        file.parent,
        "describe",
        "--always",
        "--dirty",
        "--abbrev=40",
        "--exclude=*",
    )


def _git(folder, *arguments):
    try:
        result = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return result.stdout.strip()


def _version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None

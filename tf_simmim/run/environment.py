"""What a run ran on: the facts one needs to repeat it, or to explain it."""

import importlib.metadata
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import tensorflow as tf
from absl import logging

_PACKAGES = (
    "tf_simmim",
    "tensorflow",
    "keras",
    "tf-keras",
    "keras-cv",
    "tensorflow-addons",
    "tensorflow-datasets",
    "tensorflow-metadata",
    "protobuf",
    "numpy",
    "scikit-learn",
    "pillow",
)
# Environment variables that change what TensorFlow computes, or where. By
# name: others share the prefix (Terraform's TF_VAR_*), and may be secret.
_SETTINGS = (
    "CUDA_DEVICE_ORDER",
    "CUDA_VISIBLE_DEVICES",
    "NVIDIA_TF32_OVERRIDE",
    "OMP_NUM_THREADS",
    "TF_CPP_MIN_LOG_LEVEL",
    "TF_CUDNN_DETERMINISTIC",
    "TF_CUDNN_USE_AUTOTUNE",
    "TF_DETERMINISTIC_OPS",
    "TF_DISABLE_MKL",
    "TF_ENABLE_ONEDNN_OPTS",
    "TF_FORCE_GPU_ALLOW_GROWTH",
    "TF_GPU_ALLOCATOR",
    "TF_GPU_THREAD_COUNT",
    "TF_GPU_THREAD_MODE",
    "TF_NUM_INTEROP_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_USE_LEGACY_KERAS",
    "TF_XLA_FLAGS",
    "XLA_FLAGS",
)
# Of these, the ones that cannot change a result: log levels, and which of
# several equal devices are used.
_HARMLESS_PREFIXES = ("TF_CPP_", "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER")
_FINGERPRINT_PACKAGES = (
    "tf_simmim",
    "tensorflow",
    "keras",
    "tf-keras",
    "keras-cv",
    "tensorflow-addons",
    "numpy",
    "pillow",
)


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
        "threads": _threads(),
        "settings": _settings(),
        "commit": git_commit(Path(__file__)),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "command_line": sys.argv,
    }


def fingerprint() -> dict:
    """Returns what the bits of a result depend on, besides the run's flags.

    Runs with equal fingerprints compute the same bits from the same state.
    Another number of threads, kernels of another library or processor, and
    another version of TensorFlow each add numbers up in another order.

    Returns:
        JSON-able flat dict: versions, `cpu`, `cpu_count` (processors that
        this process may use), `devices`, threads, settings.
    """
    threads = {f"threads.{name}": n for name, n in _threads().items()}
    settings = {
        name: value
        for name, value in _settings().items()
        if not name.startswith(_HARMLESS_PREFIXES)
    }
    return {
        "python": platform.python_version(),
        **{name: _version(name) for name in _FINGERPRINT_PACKAGES},
        "cpu": _cpu(),
        "cpu_count": _usable_cpus(),
        "devices": [_device_name(d) for d in tf.config.list_physical_devices()],
        **threads,
        "jit": str(tf.config.optimizer.get_jit()),
        **settings,
    }


def warn_if_changed(before: dict) -> None:
    """Warns once when this process computes other bits than an earlier one.

    Args:
        before: the earlier process' `fingerprint()`.
    """
    now = fingerprint()
    changes = [
        f"{name} (was {before.get(name)}, is {now.get(name)})"
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name)
    ]
    if changes:
        logging.warning(
            "The checkpoint was written in another environment: %s. "
            "Continuing, but not bit-exact.",
            ", ".join(changes),
        )


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


def _threads():
    return {
        "intra_op": tf.config.threading.get_intra_op_parallelism_threads(),
        "inter_op": tf.config.threading.get_inter_op_parallelism_threads(),
    }


def _settings():
    return {name: os.environ[name] for name in _SETTINGS if name in os.environ}


def _cpu():
    """Returns the processor's model, as far as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2] for line in lines if "model name" in line]
    return (names[0] if names else platform.processor()).strip()


def _usable_cpus():
    # TensorFlow's default number of threads is this one, which containers and
    # `taskset` make smaller than the machine's.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def _device_name(device):
    details = tf.config.experimental.get_device_details(device)
    model = details.get("device_name")
    return f"{device.name} ({model})" if model else device.name


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

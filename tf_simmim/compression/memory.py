"""How much memory a run's network takes, in a process of its own.

    python -m tf_simmim.compression.memory runs/mine 8

prints bytes: by how much the resident memory of a process grows at most while
it loads the network of that run and computes the features or answers of a
batch of 8 blank images, once. TensorFlow itself, which is loaded before, is
not in it; what TensorFlow needs to trace a graph is.
"""

import subprocess
import sys
from pathlib import Path

import numpy as np

_STATUS = Path("/proc/self/status")
_RESET = Path("/proc/self/clear_refs")


def peak_memory(folder, batch_size: int) -> int | None:
    """Returns what `python -m tf_simmim.compression.memory` prints.

    Args:
        folder: path of a run.
        batch_size: int > 0. Images that are computed at a time.

    Returns:
        int, bytes; None on a system that does not tell (it needs Linux's
        /proc), or where that process has failed.
    """
    command = [sys.executable, "-m", __name__, str(folder), str(batch_size)]
    result = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = result.stdout.split()
    if result.returncode or not lines or not lines[-1].isdigit():
        return None
    return int(lines[-1])


def main(arguments: list[str]) -> int:
    """Prints the growth of this process, and returns the exit code."""
    from tf_simmim import training
    from tf_simmim.compression import network

    try:
        # What TensorFlow took at most while it was loaded does not count.
        _RESET.write_text("5")
        before = _bytes("VmRSS")
    except OSError as error:
        print(error, file=sys.stderr)
        return 1
    model = training.load_pretrained(arguments[0])
    backbone = model.backbone
    shape = [int(arguments[1]), *backbone.image_size, backbone.channels]
    network.of_model(model).forward(np.zeros(shape, np.float32))()
    print(max(0, _bytes("VmHWM") - before))
    return 0


def _bytes(name):
    """Returns what Linux says of this process under a name."""
    lines = _STATUS.read_text().splitlines()
    (line,) = (line for line in lines if line.startswith(f"{name}:"))
    return 1024 * int(line.split()[1])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""How fast this machine multiplies float32 matrices, by TensorFlow.

    python benchmarks/sgemm.py

The best of squares with sides of 1024, 1536 and 2048, each repeated until it
took a while. Model-FLOPs utilisation is a share of this, taken in the same run.
With --worker it is measured once per line of input (see turns.py).
"""

import time

import turns
from absl import app
from absl import flags

import tf_simmim  # noqa: F401  (sets TensorFlow up; before TensorFlow itself)

# isort: split
import tensorflow as tf

_WORKER = flags.DEFINE_bool("worker", False, "Set by other benchmarks.")
_SIDES = (1024, 1536, 2048)
_NUM_REPEATS = 5


def create_measurement():
    """Returns a function () -> {"flops_per_second": float}."""
    multiply = tf.function(tf.linalg.matmul)
    matrices = [
        tf.random.stateless_normal([side, side], [side, 0]) for side in _SIDES
    ]
    for matrix in matrices:
        multiply(matrix, matrix)

    def measure():
        rates = []
        for side, matrix in zip(_SIDES, matrices, strict=True):
            for _ in range(_NUM_REPEATS):
                began = time.perf_counter()
                multiply(matrix, matrix)  # waits: functions are not async
                rates.append(2 * side**3 / (time.perf_counter() - began))
        return {"flops_per_second": max(rates)}

    return measure


def main(argv):
    """Runs the program."""
    if len(argv) > 1:
        raise app.UsageError(f"Unknown arguments: {argv[1:]}")
    measure = create_measurement()
    if _WORKER.value:
        turns.serve(measure)
    else:
        print(f"{measure()['flops_per_second'] / 1e9:.1f} GFLOP/s")


if __name__ == "__main__":
    app.run(main)

"""Decodes files as they come in, and says how each one went.

Run by `mutation_test.py` in a process of its own, which may crash or hang
without taking the tests along.

Reads from the standard input, for each file, its size (4 bytes, lowest first)
and its bytes. Writes for each a line: "good" or "bad", seconds, and the
memory in use, MB.
"""

import pathlib
import struct
import sys
import time

import tensorflow as tf

from tf_simmim.data.sources import decoding

# What TensorFlow and its libraries print must not come between.
_PAGE = 4096


def main():
    decode = tf.function(
        lambda contents: decoding.decode(contents, 3, ["a mutated file"]),
        input_signature=[tf.TensorSpec([], tf.string)],
    )
    while size := sys.stdin.buffer.read(4):
        contents = sys.stdin.buffer.read(struct.unpack("<I", size)[0])
        start = time.monotonic()
        verdict = "good"
        try:
            decode(tf.constant(contents))
        except tf.errors.InvalidArgumentError:
            verdict = "bad"
        seconds = time.monotonic() - start
        pages = pathlib.Path("/proc/self/statm").read_text().split()[1]
        memory = int(pages) * _PAGE / 1e6
        print(verdict, seconds, memory, flush=True)


if __name__ == "__main__":
    main()

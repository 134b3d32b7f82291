"""Mutated files: no crash, no hang, no memory lost, whatever the bytes."""

import contextlib
import functools
import os
import pathlib
import queue
import struct
import subprocess
import sys
import tempfile
import threading

import hypothesis
import pytest
import tensorflow as tf
from hypothesis import strategies

from tests.data.sources import corpus

_ROOT = pathlib.Path(__file__).parents[3]
_MAX_SECONDS = 2.0
# A process that answers no more is given time for a busy machine, too.
_PATIENCE = 60.0
_MAX_GROWTH = 300.0  # MB
_NUM_WARM = 50  # files before memory counts: pools and first calls


# The bomb is as large as all the others together, and refused by its header.
@functools.cache  # Not while tests are collected.
def _files():
    return [
        item.contents
        for _, item in sorted(corpus.corpus().items())
        if len(item.contents) < 100_000
    ]


class Decoder:
    """A process that decodes files, under a watchdog."""

    def __init__(self):
        self._errors = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.data.sources.mutation_child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            cwd=_ROOT,
            env={**os.environ, "PYTHONPATH": str(_ROOT)},
        )
        self._lines = queue.Queue()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        self.verdicts = []
        self.slowest = 0.0
        self.memory = []

    def _listen(self):
        for line in self._process.stdout:
            self._lines.put(line.decode())
        self._lines.put(None)

    def decode(self, contents):
        """Decodes a file, or raises an AssertionError that shows its bytes."""
        try:
            stdin = self._process.stdin
            stdin.write(struct.pack("<I", len(contents)) + contents)
            stdin.flush()
            line = self._lines.get(timeout=_PATIENCE)
        except BrokenPipeError:
            line = None
        except queue.Empty:
            line = "hang"
        if line is None or line == "hang":
            what = "hangs" if line else f"ends with {self.close()}"
            raise AssertionError(f"The process {what} on {_saved(contents)}")
        verdict, seconds, memory = line.split()
        self.verdicts.append(verdict)
        self.memory.append(float(memory))
        if len(self.verdicts) == 1:  # it made the graph
            return
        self.slowest = max(self.slowest, float(seconds))
        if float(seconds) > _MAX_SECONDS:
            raise AssertionError(f"{seconds} s for {_saved(contents)}")
        if self.growth() > _MAX_GROWTH:
            raise AssertionError(f"{memory} MB after {_saved(contents)}")

    def growth(self):
        """Returns the most memory since the first files, less theirs, MB."""
        if len(self.memory) <= _NUM_WARM:
            return 0.0
        return max(self.memory[_NUM_WARM:]) - self.memory[_NUM_WARM]

    def close(self):
        """Ends the process, and returns its exit code."""
        if self._process.poll() is None:
            self._process.kill()
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        code = self._process.wait()
        self._listener.join()
        self._process.stdout.close()
        self._errors.close()
        return code


def _saved(contents):
    """Keeps a file, and returns its path and its first bytes."""
    with tempfile.NamedTemporaryFile(prefix="mutated-", delete=False) as file:
        file.write(contents)
    return f"{file.name}, which starts with {contents[:200].hex()}"


@strategies.composite
def mutated_files(draw):
    """Draws a file of the corpus, changed in up to four ways."""
    contents = bytearray(draw(strategies.sampled_from(_files())))
    for _ in range(draw(strategies.integers(1, 4))):
        kind = draw(strategies.sampled_from(["set", "cut", "splice", "copy"]))
        # Half of all places in the header, where the sizes are.
        last = len(contents)
        if draw(strategies.booleans()):
            last = min(last, 64)
        place = draw(strategies.integers(0, last))
        if kind == "set":
            new = draw(strategies.binary(min_size=1, max_size=4))
            contents[place : place + len(new)] = new
        elif kind == "cut":
            del contents[place : place + draw(strategies.integers(1, 400))]
        elif kind == "splice":
            other = draw(strategies.sampled_from(_files()))
            start = draw(strategies.integers(0, len(other)))
            contents[place:] = other[start:]
        else:
            size = draw(strategies.integers(1, 64))
            contents[place:place] = contents[place : place + size]
    return bytes(contents)


class MutationTest(tf.test.TestCase):
    def check(self, num_files):
        decoder = Decoder()
        self.addCleanup(decoder.close)

        @hypothesis.settings(
            max_examples=num_files,
            derandomize=True,
            database=None,
            deadline=None,
            # A crash is reported once, and a process is not brought back.
            phases=[hypothesis.Phase.generate],
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        @hypothesis.given(mutated_files())
        def decode(contents):
            decoder.decode(contents)

        for contents in _files()[:_NUM_WARM]:
            decoder.decode(contents)
        decode()
        num_good = decoder.verdicts.count("good")
        print(
            f"{len(decoder.verdicts)} files, {num_good} good, slowest "
            f"{decoder.slowest:.2f} s, memory + {decoder.growth():.0f} MB"
        )
        # Mutations that never pass the first check would show nothing.
        self.assertGreater(num_good, num_files // 20)
        self.assertGreater(decoder.verdicts.count("bad"), num_files // 20)

    def test_hundreds_of_mutated_files_do_no_harm(self):
        self.check(300)

    @pytest.mark.slow
    def test_ten_thousand_mutated_files_do_no_harm(self):
        self.check(10_000)


class DecoderTest(tf.test.TestCase):
    @pytest.mark.slow
    def test_a_crash_is_reported_with_the_bytes(self):
        decoder = Decoder()
        self.addCleanup(decoder.close)
        decoder.decode(b"no image")
        self.assertEqual(decoder.verdicts, ["bad"])
        decoder._process.kill()
        with self.assertRaisesRegex(AssertionError, "on (.*)mutated-.*6e6f"):
            decoder.decode(b"no image")


if __name__ == "__main__":
    tf.test.main()

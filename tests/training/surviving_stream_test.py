"""Tests for tf_simmim.training.surviving_stream, on real broken streams."""

import errno
import io
import os
import subprocess
import sys

import pytest

from tf_simmim.training import surviving_stream

# Only the module, not the package: TensorFlow takes seconds to import. It logs
# and prints as a program does, and ends.
_PROGRAM = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("surviving_stream", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
for name in ("stdout", "stderr"):
    setattr(sys, name, module.SurvivingStream(getattr(sys, name)))
from absl import logging
for n in range(2000):
    print("step", n)
    logging.error("step %d", n)
sys.exit(3)
"""


def run(*launcher, **options):
    file = surviving_stream.__file__
    return subprocess.run(
        [*launcher, sys.executable, "-c", _PROGRAM, file], **options
    )


def test_a_reader_that_is_gone_changes_no_exit_code():
    reading, writing = os.pipe()
    os.close(reading)
    try:
        assert run(stdout=writing, stderr=writing).returncode == 3
    finally:
        os.close(writing)


def test_a_full_disk_and_no_stream_at_all_change_no_exit_code():
    with open("/dev/full", "w") as full:
        assert run(stdout=full, stderr=full).returncode == 3
        # Closed by a shell: Python code between fork and exec may abort where
        # other threads run, as gRPC's do.
        closed = run("sh", "-c", 'exec "$@" 2>&-', "sh", stdout=full)
    assert closed.returncode == 3


def test_what_can_be_written_is_written():
    text = io.StringIO()
    stream = surviving_stream.SurvivingStream(text)
    assert stream.write("one\n") == 4
    stream.writelines(["two\n"])
    stream.flush()
    assert text.getvalue() == "one\ntwo\n"
    assert not stream.isatty()
    assert stream.closed is False
    assert stream.loss is None
    text.close()
    assert stream.write("lost") == 4
    assert not stream.isatty()
    assert "closed file" in str(stream.loss)


class Failing(io.StringIO):
    """A stream that takes nothing, as a disk or a pipe may be."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def write(self, text):
        raise self.error


def test_a_full_disk_loses_something_and_a_reader_who_has_had_enough_nothing():
    full = OSError(errno.ENOSPC, "No space left on device")
    stream = surviving_stream.SurvivingStream(Failing(full))
    stream.write("lost")
    assert stream.loss is full
    stream = surviving_stream.SurvivingStream(Failing(BrokenPipeError()))
    stream.write("unread")
    assert stream.loss is None


def test_a_letter_that_cannot_be_written_is_no_broken_stream():
    text = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    with pytest.raises(UnicodeEncodeError):
        surviving_stream.SurvivingStream(text).write("ü")

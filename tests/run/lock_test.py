"""Tests for tf_simmim.run.lock, with real second processes."""

import errno
import fcntl
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from unittest import mock

import tensorflow as tf

from tf_simmim.run import directory
from tf_simmim.run import lock

# Only the module, not the package: TensorFlow takes seconds to import.
_HOLDER = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("run_lock", sys.argv[1])
lock = importlib.util.module_from_spec(spec)
spec.loader.exec_module(lock)
lock.lock_for_life(sys.argv[2])
print("locked", flush=True)
sys.stdin.read()
"""


class RunLockTest(tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.directory = Path(self.get_temp_dir())
        self.file = self.directory / "lock"

    def start_holder(self):
        """Starts another process that holds the lock until its input ends."""
        process = subprocess.Popen(
            [sys.executable, "-c", _HOLDER, lock.__file__, str(self.file)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), "locked\n")
        return process

    def test_second_process_is_refused_and_the_first_is_named(self):
        holder = self.start_holder()
        run = directory.RunDirectory(self.directory)
        with self.assertRaisesRegex(
            ValueError,
            f"`path` must be .*{self.directory}, where process {holder.pid} on",
        ):
            run.lock()

    def test_refusal_leaves_the_holders_name_in_the_file(self):
        holder = self.start_holder()
        for _ in range(2):
            with self.assertRaisesRegex(ValueError, f"process {holder.pid} "):
                lock.lock_for_life(self.file)
        with self.assertRaisesRegex(ValueError, "^The rule. Received: .*pro"):
            lock.lock_for_life(self.file, "The rule")

    def test_removing_the_file_lets_nobody_in(self):
        self.start_holder()
        self.file.unlink()
        for _ in range(2):
            with self.assertRaisesRegex(ValueError, "where another process"):
                lock.lock_for_life(self.file)
        self.assertFalse(self.file.exists())

    def test_folder_that_cannot_be_locked_is_kept_by_its_file(self):
        holder = self.start_holder()
        flock = fcntl.flock

        def only_files(descriptor, operation):
            if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                raise OSError(errno.EBADF, "Bad file descriptor")
            flock(descriptor, operation)

        with mock.patch.object(fcntl, "flock", only_files):
            with self.assertRaisesRegex(ValueError, f"process {holder.pid} "):
                lock.lock_for_life(self.file)

    def test_killed_process_leaves_no_lock_behind(self):
        holder = self.start_holder()
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        lock.lock_for_life(self.file)
        self.assertStartsWith(
            self.file.read_text(), f"process {os.getpid()} on "
        )

    def test_lock_outlives_the_object_and_may_be_taken_again(self):
        for _ in range(2):
            directory.RunDirectory(self.directory).lock()
        with open(self.file) as file:
            with self.assertRaises(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def test_file_system_without_locks_gets_a_warning(self):
        error = OSError(errno.ENOTSUP, "Operation not supported")
        with mock.patch.object(fcntl, "flock", side_effect=error):
            with self.assertLogs("absl", "WARNING") as logs:
                lock.lock_for_life(self.file)
        self.assertIn("only one process", logs.output[0])

    def test_other_errors_are_raised(self):
        error = OSError(errno.EIO, "Input/output error")
        with mock.patch.object(fcntl, "flock", side_effect=error):
            with self.assertRaisesRegex(OSError, "Input/output error"):
                lock.lock_for_life(self.file)


if __name__ == "__main__":
    tf.test.main()

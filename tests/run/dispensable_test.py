"""Tests for tf_simmim.run.dispensable."""

import errno

import tensorflow as tf
from absl.testing import parameterized

from tf_simmim.run import dispensable


class DispensableTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters(
        (OSError(errno.ENOSPC, "No space left on device"), "No space left"),
        (OSError(errno.EIO, "Input/output error"), "Input/output error"),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), "Broken pipe"),
        (tf.errors.ResourceExhaustedError(None, None, "Full\nat x"), "Full"),
        (MemoryError(), "MemoryError"),
        (LookupError("no key"), "no key"),
    )
    def test_any_error_is_one_line_in_the_log(self, error, why):
        with self.assertLogs("absl", "ERROR") as logs:
            with dispensable.going_on_without("the picture"):
                raise error
        self.assertLen(logs.output, 1)
        self.assertRegex(
            logs.output[0], rf"Not written: the picture \({why}[^\n]*\)\.$"
        )

    def test_a_line_that_was_logged_is_not_logged_again(self):
        logged = set()
        with self.assertLogs("absl", "ERROR") as logs:
            for why in ("a", "b", "a", "a"):
                with dispensable.going_on_without("it", logged):
                    raise ValueError(why)
        self.assertLen(logs.output, 2)

    def test_a_signal_and_an_exit_are_no_errors(self):
        for error in (KeyboardInterrupt, SystemExit):
            with self.assertRaises(error):
                with dispensable.going_on_without("it"):
                    raise error


if __name__ == "__main__":
    tf.test.main()

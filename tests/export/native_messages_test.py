"""Tests for holding back what C++ code writes to stderr."""

import os
import tempfile

from absl.testing import absltest

from tf_simmim.export import native_messages


class WithheldTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        # Stands for stderr, whoever has it.
        self.stderr = tempfile.TemporaryFile()
        self.addCleanup(self.stderr.close)
        before = os.dup(2)
        self.addCleanup(os.close, before)
        self.addCleanup(os.dup2, before, 2)
        os.dup2(self.stderr.fileno(), 2)

    def written(self):
        self.stderr.seek(0)
        return self.stderr.read()

    def test_nothing_is_written_but_what_comes_after(self):
        with native_messages.withheld():
            os.write(2, b"a table of operations\n")
        os.write(2, b"after\n")
        self.assertEqual(self.written(), b"after\n")

    def test_all_of_it_follows_an_error(self):
        with self.assertRaisesRegex(ValueError, "^no$"):
            with native_messages.withheld():
                os.write(2, b"why: ")
                os.write(2, b"because\n")
                raise ValueError("no")
        os.write(2, b"after\n")
        self.assertEqual(self.written(), b"why: because\nafter\n")

    def test_a_stderr_that_takes_nothing_hides_no_error(self):
        reader, writer = os.pipe()
        os.close(reader)
        os.dup2(writer, 2)
        os.close(writer)
        with self.assertRaisesRegex(ValueError, "^no$"):
            with native_messages.withheld():
                os.write(2, b"why: because\n")
                raise ValueError("no")

    def test_without_a_stderr_the_work_is_done(self):
        os.close(2)
        done = []
        with native_messages.withheld():
            done.append(1)
        self.assertEqual(done, [1])


if __name__ == "__main__":
    absltest.main()

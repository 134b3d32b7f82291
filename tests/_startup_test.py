"""Tests for tf_simmim._startup."""

import importlib.util
import os
import pathlib
import subprocess
import sys
import types
import unittest
import warnings
from unittest import mock

import tensorflow as tf
from absl.testing import parameterized

from tf_simmim import _startup


def run_module():
    """Runs the module's code afresh, as the first import does."""
    spec = importlib.util.spec_from_file_location("copy", _startup.__file__)
    spec.loader.exec_module(importlib.util.module_from_spec(spec))


class StartupTest(tf.test.TestCase, parameterized.TestCase):
    def test_log_lines_are_silenced_and_onednn_is_on(self):
        with mock.patch.dict(os.environ, clear=True):
            run_module()
            self.assertEqual(os.environ["TF_CPP_MIN_LOG_LEVEL"], "3")
            self.assertEqual(os.environ["TF_ENABLE_ONEDNN_OPTS"], "1")

    def test_keras_2_is_asked_for_where_tensorflow_has_keras_3(self):
        with mock.patch.dict(os.environ, clear=True):
            run_module()
            is_set = os.environ.get("TF_USE_LEGACY_KERAS")
        self.assertEqual(is_set, "1" if sys.version_info >= (3, 12) else None)

    def test_what_the_user_has_set_stays(self):
        chosen = {
            "TF_CPP_MIN_LOG_LEVEL": "0",
            "TF_ENABLE_ONEDNN_OPTS": "0",
            "TF_USE_LEGACY_KERAS": "0",
        }
        with mock.patch.dict(os.environ, chosen, clear=True):
            run_module()
            self.assertEqual(dict(os.environ), chosen)

    def test_only_the_notices_of_tensorflow_addons_are_ignored(self):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            run_module()
            warnings.warn("\n\nTensorFlow Addons (TFA) has ended", stacklevel=1)
            warnings.warn("Tensorflow Addons supports using", stacklevel=1)
            warnings.warn("something else", stacklevel=1)
        self.assertEqual([str(w.message) for w in caught], ["something else"])

    @parameterized.parameters("3.0.0", "3.4.1", "4.0")
    def test_keras_3_is_refused_with_what_to_do(self, version):
        keras = types.SimpleNamespace(__version__=version)
        with self.assertRaisesRegex(
            ImportError,
            rf"needs Keras 2.*pip install.*Received: Keras {version}",
        ):
            _startup.require_keras_2(keras)

    def test_keras_2_passes(self):
        _startup.require_keras_2(tf.keras)
        _startup.require_keras_2(types.SimpleNamespace(__version__="2.15.0"))


# Stands for a TensorFlow that writes before it looks at its log level.
TENSORFLOW = '''
import os
os.write(2, b"""\\
WARNING: All log messages before absl::InitializeLog() is called are written
I0000 00:00:1796089018.335676   18652 port.cc:153] oneDNN is on.
W0000 00:00:1796089018.335676   18652 placer.cc:177] Registered twice.
E0000 00:00:1796089018.335676   18652 dnn.cc:8579] Unable to register.
I am no log line.
""")
{then}
'''
IMPORT = """
import importlib.util
spec = importlib.util.spec_from_file_location("startup", {file!r})
startup = importlib.util.module_from_spec(spec)
spec.loader.exec_module(startup)
startup._IS_NEW_STACK = {is_new_stack}
with startup.silenced_log_lines():
    import tensorflow
print("imported", flush=True)
os.write(2, b"I0000 00:00:1.0 1 a.cc:1] Later.")
"""


class SilencedLogLinesTest(tf.test.TestCase, parameterized.TestCase):
    def stderr_of_import(self, level, **arguments):
        return self.run_import(level, **arguments).stderr

    def run_import(
        self,
        level,
        then="",
        is_new_stack=True,
        options=(),
        stderr=subprocess.PIPE,
    ):
        folder = pathlib.Path(self.get_temp_dir())
        text = TENSORFLOW.replace("{then}", then)
        (folder / "tensorflow.py").write_text(text)
        code = "import os" + IMPORT.format(
            file=_startup.__file__, is_new_stack=is_new_stack
        )
        environment = {
            "PYTHONPATH": str(folder),
            "TF_CPP_MIN_LOG_LEVEL": level,
        }
        return subprocess.run(
            [sys.executable, *options, "-c", code],
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=os.environ | environment,
            text=True,
        )

    @parameterized.parameters(
        ("3", ["I am", "I0000"]),
        ("2", ["E0000", "I am", "I0000"]),
        ("1", ["W0000", "E0000", "I am", "I0000"]),
        ("0", ["WARNI", "I0000", "W0000", "E0000", "I am", "I0000"]),
    )
    def test_lines_below_the_level_are_dropped(self, level, kept):
        lines = self.stderr_of_import(level).splitlines()
        self.assertLen(lines, len(kept))
        for line, beginning in zip(lines, kept, strict=True):
            self.assertStartsWith(line, beginning)
        self.assertEndsWith(lines[-1], "Later.")

    def test_old_stack_is_left_alone(self):
        text = self.stderr_of_import("3", is_new_stack=False)
        self.assertStartsWith(text, "WARNING: All log messages")

    def test_errors_of_the_import_are_shown(self):
        text = self.stderr_of_import("3", then="raise OSError('No AVX.')")
        self.assertStartsWith(text, "I am no log line.\nTraceback")
        self.assertEndsWith(text, "OSError: No AVX.\n")

    @parameterized.parameters(
        ([], ""),
        (["-X", "faulthandler"], "(?s:WARNING: All log messages.*)"),
    )
    def test_the_end_of_the_process_is_explained(self, options, before):
        text = self.stderr_of_import("3", then="os.abort()", options=options)
        self.assertRegex(text, f"^{before}Fatal Python error: Aborted")
        self.assertIn("tensorflow.py", text)

    @unittest.skipUnless(os.path.exists("/dev/full"), "Needs /dev/full.")
    def test_a_stderr_that_takes_nothing_is_no_reason_to_fail(self):
        with open("/dev/full", "wb") as full:
            result = self.run_import("3", stderr=full)
        self.assertEqual(result.stdout, "imported\n")


if __name__ == "__main__":
    tf.test.main()

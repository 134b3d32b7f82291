"""Tests for tf_simmim._startup."""

import importlib.util
import os
import types
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

    def test_what_the_user_has_set_stays(self):
        chosen = {"TF_CPP_MIN_LOG_LEVEL": "0", "TF_ENABLE_ONEDNN_OPTS": "0"}
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


if __name__ == "__main__":
    tf.test.main()

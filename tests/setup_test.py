"""Tests for the set-up: versions that agree, and imports that work quietly."""

import importlib.metadata
import os
import pathlib
import subprocess
import sys

from absl.testing import absltest
from absl.testing import parameterized
from packaging import requirements

import tf_simmim
from tests import slow_cases

ROOT = pathlib.Path(__file__).parents[1]
PACKAGES = (
    "absl-py",
    "keras-cv",
    "numpy",
    "tensorflow",
    "tensorflow-datasets",
)


def pins(python_version):
    """Versions that requirements.txt gives to a Python, by package name."""
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    versions = {}
    for line in lines:
        if not line or line.startswith(("#", "-e ")):
            continue
        pin = requirements.Requirement(line)
        if holds(pin, python_version):
            (specifier,) = pin.specifier
            if specifier.operator != "==" or pin.name in versions:
                raise ValueError(f"Not one exact version. Received: {line}.")
            versions[pin.name] = specifier.version
    return versions


def holds(requirement, python_version):
    """Whether a requirement counts for a Python, with all extras."""
    extras = ("", "photos", "serve", "wandb", "dev")
    return requirement.marker is None or any(
        requirement.marker.evaluate(
            {"python_version": python_version, "extra": extra}
        )
        for extra in extras
    )


def run(code, **environment):
    """Runs code in a new interpreter without our own TensorFlow settings."""
    ours = (
        "TF_CPP_MIN_LOG_LEVEL",
        "TF_ENABLE_ONEDNN_OPTS",
        "TF_USE_LEGACY_KERAS",
        "PYTHONWARNINGS",
    )
    inherited = {k: v for k, v in os.environ.items() if k not in ours}
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        cwd=ROOT,
        env=inherited | environment,
        text=True,
    )


class VersionsTest(parameterized.TestCase):
    @parameterized.parameters("3.10", "3.11", "3.12", "3.13")
    def test_every_dependency_is_pinned_within_its_range(self, python_version):
        pinned = pins(python_version)
        for line in importlib.metadata.requires("tf_simmim"):
            dependency = requirements.Requirement(line)
            if holds(dependency, python_version):
                with self.subTest(line):
                    self.assertIn(dependency.name, pinned)
                    self.assertIn(pinned[dependency.name], dependency.specifier)

    @parameterized.parameters(
        ("3.10", "tensorflow-addons"),
        ("3.11", "tensorflow-addons"),
        ("3.12", "tf-keras"),
        ("3.13", "tf-keras"),
    )
    def test_the_packages_the_project_is_made_of_are_pinned(
        self, version, package
    ):
        self.assertContainsSubset({*PACKAGES, package}, pins(version))

    def test_make_installed_exactly_what_is_pinned(self):
        if not pathlib.Path(sys.prefix, ".installed").exists():
            self.skipTest("Runs in the environment that `make` installs.")
        pinned = pins(".".join(map(str, sys.version_info[:2])))
        installed = {name: importlib.metadata.version(name) for name in pinned}
        self.assertEqual(installed, pinned)
        ours = importlib.metadata.version("tf_simmim")
        self.assertEqual(ours, tf_simmim.__version__)


class ImportsTest(parameterized.TestCase):
    @slow_cases.slow_cases(1, 2, 3)
    @parameterized.parameters(
        "tensorflow_datasets",
        "keras_cv",
        "sklearn.datasets",
        # Does not start without pkg_resources, which new setuptools lack.
        "tensorboard.main",
    )
    def test_package_can_be_imported_beside_ours(self, package):
        result = run(f"import tf_simmim, {package}")
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_start_up_is_silent_even_with_tensorflow_addons(self):
        result = run(
            "import sys, tf_simmim, tensorflow;"
            # It is slow to import: only where it is needed.
            "assert 'tensorflow_addons' not in sys.modules;"
            "assert 'tf_simmim.addons.lamb' not in sys.modules;"
            "tf_simmim.addons.LAMB"
        )
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stdout + result.stderr, "")

    def test_settings_of_the_user_reach_tensorflow(self):
        result = run(
            "import os, tf_simmim, tensorflow;"
            "print(os.environ['TF_CPP_MIN_LOG_LEVEL'],"
            "      os.environ['TF_ENABLE_ONEDNN_OPTS'])",
            TF_CPP_MIN_LOG_LEVEL="1",
            TF_ENABLE_ONEDNN_OPTS="0",
        )
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stdout, "1 0\n")

    def test_keras_3_ends_the_import_with_one_sentence(self):
        result = run(
            "import tensorflow as tf;"
            "tf.keras.__version__ = '3.0.0';"
            "import tf_simmim",
            TF_CPP_MIN_LOG_LEVEL="3",
        )
        self.assertEqual(result.returncode, 1)
        last_line = result.stderr.splitlines()[-1]
        self.assertRegex(
            last_line,
            "^ImportError: tf_simmim needs Keras 2 .*Received: Keras 3.0.0.$",
        )


if __name__ == "__main__":
    absltest.main()

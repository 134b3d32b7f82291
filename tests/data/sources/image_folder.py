"""A test case with a folder of small images of its own."""

import os
import pathlib
import tempfile

import numpy as np
import tensorflow as tf
from PIL import Image


def pixels(number):
    """Returns uint8 [6..8, 9, 3], others for every number."""
    rng = np.random.RandomState(number)
    return rng.randint(0, 256, (6 + number % 3, 9, 3)).astype(np.uint8)


class ImageFolderTestCase(tf.test.TestCase):
    """Makes the folder `root`, and removes it afterwards."""

    def setUp(self):
        super().setUp()
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.root = pathlib.Path(temporary.name)

    def write(self, name, number=0, mode="RGB"):
        """Writes an image, `pixels(number)`, under a name below the root."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels(number)).convert(mode).save(path)

    def names(self, source):
        """Returns the files of a source, relative to the root."""
        root = os.fsencode(self.root)
        return [os.path.relpath(path, root).decode() for path in source.paths]

    def read(self, source, index):
        """Returns an image of a source, as the source reads it."""
        return source.read(tf.constant(index, tf.int64))

"""Tests for tf_simmim.export.served_model."""

import numpy as np
import tensorflow as tf

from tests.export import planted
from tests.export import tiny
from tf_simmim import export


class ServedModelTest(tf.test.TestCase):
    def test_it_answers_from_the_weights_that_were_saved(self):
        folder = tiny.new_folder(self) / "1"
        model = export.ServedModel(planted.save(folder))
        self.assertEqual(list(model.signatures), ["serving_default"])
        rows = np.float32([[1, 2, 3], [4, 5, 6]])
        got = model.run("serving_default", {"pixels": rows})
        self.assertAllEqual(got["features"], 2 * rows)
        with self.assertRaisesRegex(ValueError, "must be one of.*'features'"):
            model.run("features", {"pixels": rows})
        with self.assertRaisesRegex(ValueError, "must be \\['pixels'\\]"):
            model.run("serving_default", {})
        model.close()

    def test_what_is_no_saved_model_is_refused(self):
        with self.assertRaisesRegex(ValueError, "must be a SavedModel"):
            export.ServedModel(tiny.new_folder(self))

    def test_weights_that_are_missing_are_refused(self):
        folder = planted.save(tiny.new_folder(self) / "1")
        for file in (folder / "variables").iterdir():
            file.unlink()
        with self.assertRaisesRegex(ValueError, "must be a SavedModel"):
            export.ServedModel(folder)


if __name__ == "__main__":
    tf.test.main()

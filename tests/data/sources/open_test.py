"""Tests for tf_simmim.data.sources.open."""

import pathlib
import tempfile

import tensorflow as tf
from absl.testing import parameterized

from tests import slow_cases
from tf_simmim.data import sources


class OpenSourceTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.root = pathlib.Path(temporary.name)

    @parameterized.parameters(
        ("builtin:digits", sources.DigitsSource, 360),
        ("builtin:photos", sources.PhotosSource, 112),
    )
    def test_builtin_sources_are_opened_by_name(self, spec, kind, num_images):
        source = sources.open_source(spec, split="test", channels=1)
        self.assertIsInstance(source, kind)
        self.assertLen(source, num_images)
        self.assertEqual((source.name, source.channels), (spec, 1))

    def test_a_folder_is_opened_by_its_path(self):
        image = tf.io.encode_png(tf.zeros([4, 6, 3], tf.uint8)).numpy()
        for name in ("a:b.png", "c.png"):
            (self.root / name).write_bytes(image)
        source = sources.open_source(
            f"folder:{self.root}", data_dir="not used", channels=1
        )
        self.assertIsInstance(source, sources.FolderSource)
        self.assertLen(source, 1)
        self.assertEqual(source.channels, 1)

    @slow_cases.slow_cases(1)
    @parameterized.parameters("folder:{}", "tfrecord:{}/*.tfrecord")
    def test_the_limit_on_pixels_reaches_the_source(self, form):
        image = tf.io.encode_png(tf.zeros([4, 6, 3], tf.uint8)).numpy()
        (self.root / "a.png").write_bytes(image)
        example = tf.train.Example()
        example.features.feature["image/encoded"].bytes_list.value.append(image)
        with tf.io.TFRecordWriter(str(self.root / "a.tfrecord")) as writer:
            writer.write(example.SerializeToString())
        spec = form.format(self.root)
        source = sources.open_source(spec, split="all", max_pixels=24)
        self.assertLen(list(source.epoch()), 1)
        source = sources.open_source(spec, split="all", max_pixels=23)
        with self.assertRaisesRegex(
            tf.errors.InvalidArgumentError, r"1 to 23 pixels.*\[4\] \[6\].*/a\."
        ):
            list(source.epoch())
        with self.assertRaisesRegex(ValueError, "`max_pixels`"):
            sources.open_source(spec, max_pixels=0)

    def test_the_split_all_holds_nothing_out(self):
        image = tf.io.encode_png(tf.zeros([4, 6, 3], tf.uint8)).numpy()
        for name in ("a.png", "b.png", "c.png"):
            (self.root / name).write_bytes(image)
        spec = f"folder:{self.root}"
        self.assertLen(sources.open_source(spec, split="all"), 3)

    @parameterized.parameters(
        ("digits", "builtin:digits"),
        ("builtin:digit", "builtin:digits"),
        ("builtin:fotos", "builtin:photos"),
        ("foldr:/some/where", "folder:/some/where"),
        ("Folder:x", "folder:x"),
        ("tfsd:mnist", "tfds:mnist"),
        ("tfrecords:/a/b-*", "tfrecord:/a/b-*"),
        ("biultin:digits", "builtin:digits"),
        ("folder:", "folder:PATH"),
    )
    def test_a_slip_of_the_keyboard_is_answered_with_a_suggestion(
        self, spec, suggestion
    ):
        with self.assertRaises(ValueError) as caught:
            sources.open_source(spec)
        message = str(caught.exception)
        self.assertIn("folder:PATH, tfds:NAME, tfrecord:GLOB", message)
        self.assertIn(f"Did you mean `{suggestion}`?", message)
        self.assertIn(repr(spec), message)

    def test_a_bare_folder_is_answered_with_its_scheme(self):
        with self.assertRaisesRegex(
            ValueError, f"Did you mean `folder:{self.root}`"
        ):
            sources.open_source(str(self.root))

    @parameterized.parameters("", "zzz", "http://x/y")
    def test_anything_else_is_answered_with_the_forms(self, spec):
        with self.assertRaisesRegex(
            ValueError, "one of builtin:digit_scenes, builtin:digits, builti"
        ):
            sources.open_source(spec)

    @parameterized.parameters(
        ("folder:/no/such/place", "no folder /no/such/place"),
        ("tfrecord:/no/such/place-*", "no file matches"),
    )
    def test_missing_data_end_in_one_sentence(self, spec, what):
        with self.assertRaisesRegex(ValueError, what) as caught:
            sources.open_source(spec)
        self.assertNotIn("\n", str(caught.exception))


if __name__ == "__main__":
    tf.test.main()

"""Tests for tf_simmim.data.sources.tfds, on small prepared data sets."""

import io
import pathlib
import tempfile

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from array_record.python import array_record_module

from tests import slow_cases
from tests.data.sources import corpus
from tf_simmim.data.sources import tfds as tfds_source
from tf_simmim.data.sources import tfds_boxes

FORMATS = ("array_record", "tfrecord")
RECORDS_PER_SHARD = 5


def setUpModule():  # noqa: N802  (unittest's name)
    """Imports what takes half a second, and collecting does without."""
    global tfds
    import tensorflow_datasets as tfds


def _pixels(number, channels=3):
    return np.full([4 + number % 3, 6, channels], number, np.uint8)


def _writer(path, file_format):
    if file_format == "tfrecord":
        return tf.io.TFRecordWriter(path)
    return array_record_module.ArrayRecordWriter(path, "group_size:1")


def _prepare(folder, file_format, splits, features):
    """Writes the files of a prepared data set.

    Args:
        folder: path of the data set and its version.
        file_format: "array_record" or "tfrecord".
        splits: dict of lists of examples.
        features: dict of features.
    """
    folder.mkdir(parents=True)
    features = tfds.features.FeaturesDict(features)
    split_infos = []
    for split, examples in splits.items():
        shards = [
            examples[start : start + RECORDS_PER_SHARD]
            for start in range(0, len(examples), RECORDS_PER_SHARD)
        ]
        for number, shard in enumerate(shards):
            name = f"{split}.{file_format}-{number:05d}-of-{len(shards):05d}"
            writer = _writer(str(folder / f"tiny-{name}"), file_format)
            for example in shard:
                encoded = features.encode_example(example)
                writer.write(features.serialize_example(encoded))
            writer.close()
        split_infos.append(
            tfds.core.SplitInfo(
                name=split,
                shard_lengths=[len(shard) for shard in shards],
                num_bytes=0,
            )
        )
    tfds.folder_dataset.write_metadata(
        data_dir=folder,
        features=features,
        split_infos=split_infos,
        filename_template="{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}",
        check_data=False,
    )


class TFDSSourceTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.data_dir = temporary.name

    def prepare(self, file_format, sizes, channels=3):
        """Writes splits of `sizes`, numbered on from one split to the next."""
        splits, number = {}, 0
        for split, size in sizes.items():
            splits[split] = [
                {"image": _pixels(i, channels), "label": i % 3, "note": "x"}
                for i in range(number, number + size)
            ]
            number += size
        features = {
            "image": tfds.features.Image(shape=(None, None, channels)),
            "label": tfds.features.ClassLabel(names=["ant", "bee", "cow"]),
            "note": tfds.features.Text(),
        }
        folder = pathlib.Path(self.data_dir) / "tiny" / "1.0.0"
        _prepare(folder, file_format, splits, features)

    def open(self, split="train", **kwargs):
        return tfds_source.TFDSSource(
            "tiny", split, data_dir=self.data_dir, **kwargs
        )

    def numbers(self, source, **kwargs):
        """Returns [(index, number of the image)]."""
        return [
            (int(element["index"]), int(element["image"][0, 0, 0]))
            for element in source.epoch(**kwargs)
        ]

    @parameterized.parameters(*FORMATS)
    def test_images_and_labels_are_those_that_were_written(self, file_format):
        self.prepare(file_format, {"train": 13})
        source = self.open()
        self.assertEqual(source.random_access, file_format == "array_record")
        self.assertEqual(source.class_names, ("ant", "bee", "cow"))
        self.assertEqual(source.channels, 3)
        for element in source.epoch(seed=2):
            index = int(element["index"])
            self.assertEqual(set(element), {"image", "label", "index"})
            self.assertAllEqual(element["image"], _pixels(index))
            self.assertEqual(element["label"], index % 3)
            self.assertEqual(element["label"].dtype, tf.int64)

    @parameterized.parameters(*FORMATS)
    def test_boxes_come_in_pixels_without_groups(self, file_format):
        box = tfds.features.BBox
        none = {"bbox": [], "label": [], "is_crowd": [], "area": []}
        examples = [
            {
                "image": np.zeros([40, 60, 3], np.uint8),
                "objects": {
                    "bbox": [box(0.1, 0.2, 0.5, 0.6), box(0.0, 0.0, 1.0, 1.0)],
                    "label": [1, 0],
                    "is_crowd": [False, True],
                    "area": [9, 9],
                },
            },
            {"image": np.zeros([20, 30, 3], np.uint8), "objects": none},
        ]
        features = {
            "image": tfds.features.Image(shape=(None, None, 3)),
            "objects": tfds.features.Sequence(
                {
                    "bbox": tfds.features.BBoxFeature(),
                    "label": tfds.features.ClassLabel(names=["ant", "bee"]),
                    "is_crowd": np.bool_,
                    "area": np.int64,
                }
            ),
        }
        folder = pathlib.Path(self.data_dir) / "tiny" / "1.0.0"
        _prepare(folder, file_format, {"train": examples}, features)
        source = self.open("all")
        self.assertEqual(source.box_class_names, ("ant", "bee"))
        found = list(source.epoch(shuffle=False))
        none = np.full([100, 4], -1.0)
        some = np.concatenate([[[4, 12, 20, 36]], none[1:]])
        self.assertAllClose(found[0]["boxes"], some)
        self.assertAllClose(found[1]["boxes"], none)
        self.assertAllEqual(found[0]["box_classes"], [1] + 99 * [-1])
        self.assertEqual(found[1]["box_classes"].dtype, tf.int64)

    def prepare_masks(self, file_format, name, feature, size=(4, 6, 1)):
        """Writes two images of 4 x 6 px, with masks."""
        masks = [np.full(size, i, np.uint8) for i in (0, 1)]
        masks[1][0, 0] = 2
        masks[1][1, 1] = 255
        examples = [{"image": _pixels(3 * i), name: masks[i]} for i in (0, 1)]
        features = {
            "image": tfds.features.Image(shape=(None, None, 3)),
            name: feature,
        }
        folder = pathlib.Path(self.data_dir) / "tiny" / "1.0.0"
        _prepare(folder, file_format, {"train": examples}, features)
        return masks

    @parameterized.parameters(*FORMATS)
    def test_masks_come_with_the_names_that_the_data_set_has(self, file_format):
        feature = tfds.features.LabeledImage(
            shape=(None, None, 1), labels=["sky", "ant", "bee"]
        )
        masks = self.prepare_masks(file_format, "segmentation_mask", feature)
        source = self.open("all")
        self.assertEqual(source.segmentation_class_names, ("sky", "ant", "bee"))
        for element in source.epoch(shuffle=False):
            mask = element["segmentation"]
            self.assertEqual(mask.dtype, tf.uint8)
            self.assertAllEqual(mask, masks[int(element["index"])])
        self.assertEqual(
            self.open(
                "all", segmentation_class_names="abc"
            ).segmentation_class_names,
            ("a", "b", "c"),
        )

    def test_masks_without_names_need_some(self):
        feature = tfds.features.Image(
            shape=(None, None, 1), encoding_format="png"
        )
        masks = self.prepare_masks(
            "array_record", "segmentation_label", feature
        )
        source = self.open("all")
        self.assertIsNone(source.segmentation_class_names)
        self.assertNotIn("segmentation", next(iter(source.epoch())))
        source = self.open("all", segmentation_class_names=["a", "b", "c"])
        element = source.read(tf.constant(1, tf.int64))
        self.assertAllEqual(element["segmentation"], masks[1])
        with self.assertRaisesRegex(ValueError, "must be 2 to 255 names"):
            self.open("all", segmentation_class_names=["a"])
        # A number that is no class.
        source = self.open("all", segmentation_class_names=["a", "b"])
        with self.assertRaisesRegex(
            tf.errors.InvalidArgumentError, "the mask of an image of tfds:tiny"
        ):
            source.read(tf.constant(1, tf.int64))

    def test_a_mask_of_another_size_is_bad(self):
        feature = tfds.features.LabeledImage(
            shape=(None, None, 1), labels=["sky", "ant", "bee"]
        )
        self.prepare_masks(
            "array_record", "segmentation_mask", feature, (4, 5, 1)
        )
        with self.assertRaisesRegex(
            tf.errors.InvalidArgumentError, "height and width of its image"
        ):
            self.open("all").read(tf.constant(0, tf.int64))

    def test_names_of_classes_without_masks_are_refused(self):
        self.prepare("array_record", {"train": 2})
        with self.assertRaisesRegex(
            ValueError, "for data sets with masks.*'image', 'label', 'note'"
        ):
            self.open("all", segmentation_class_names=["a"])

    def test_more_boxes_than_there_is_room_for_are_cut_off(self):
        objects = {
            "bbox": tf.tile(
                [[0.1, 0.2, 0.5, 0.6], [0.5, 0.5, 0.4, 0.6]], [90, 1]
            ),
            "label": tf.range(180),
        }
        found = tfds_boxes.boxes_of(objects, tf.zeros([40, 60, 3]))
        self.assertEqual(found["boxes"].shape, [100, 4])
        # Every second one has no area.
        want = [*range(0, 180, 2), *(10 * [-1])]
        self.assertAllEqual(found["box_classes"], want)
        objects["bbox"] = tf.tile(objects["bbox"][:1], [180, 1])
        found = tfds_boxes.boxes_of(objects, tf.zeros([40, 60, 3]))
        self.assertAllEqual(found["box_classes"], range(100))

    @slow_cases.slow_cases(1)
    @parameterized.parameters(*FORMATS)
    def test_every_epoch_has_every_image_in_its_own_order(self, file_format):
        self.prepare(file_format, {"train": 13, "test": 2})
        source = self.open()
        orders = [self.numbers(source, epoch=epoch) for epoch in (0, 0, 1)]
        for order in orders:
            self.assertCountEqual(order, zip(range(13), range(13), strict=True))
        self.assertEqual(orders[0], orders[1])
        self.assertNotEqual(orders[0], orders[2])

    @parameterized.product(
        file_format=FORMATS,
        names=(("test",), ("validation",), ("test", "validation")),
    )
    def test_validation_and_test_stand_for_each_other_where_one_is_missing(
        self, file_format, names
    ):
        self.prepare(file_format, {"train": 6, **dict.fromkeys(names, 7)})
        self.assertLen(self.open(), 6)
        for split in ("validation", "test"):
            first = 6 + 7 * (len(names) == 2 and split == "validation")
            self.assertEqual(
                self.numbers(self.open(split), shuffle=False),
                [(index, first + index) for index in range(7)],
            )

    @parameterized.product(
        file_format=FORMATS, num_images=(2, 12, 45), channels=(1, 3)
    )
    def test_without_one_the_end_of_train_is_held_out(
        self, file_format, num_images, channels
    ):
        self.prepare(file_format, {"train": num_images}, channels)
        border = num_images - max(num_images // 20, 1)
        train = self.numbers(self.open("train"), shuffle=False)
        test = self.numbers(self.open("test"), shuffle=False)
        self.assertEqual(train, [(i, i) for i in range(border)])
        self.assertEqual(
            test, [(i, border + i) for i in range(num_images - border)]
        )

    @slow_cases.slow_cases(0)
    @parameterized.product(
        file_format=FORMATS,
        others=((), ("test",), ("extra", "validation")),
    )
    def test_all_is_the_whole_train_split_alone(self, file_format, others):
        self.prepare(file_format, {"train": 13, **dict.fromkeys(others, 3)})
        source = self.open("all")
        want = [(index, index) for index in range(13)]
        self.assertEqual(self.numbers(source, shuffle=False), want)
        self.assertCountEqual(self.numbers(source), want)

    @parameterized.parameters("test", "validation", "extra")
    def test_all_without_train_is_the_only_split_there_is(self, name):
        self.prepare("array_record", {name: 4})
        want = [(index, index) for index in range(4)]
        self.assertEqual(self.numbers(self.open("all"), shuffle=False), want)

    def test_all_without_train_does_not_guess_between_other_splits(self):
        self.prepare("array_record", {"extra": 4, "test": 3})
        with self.assertRaisesRegex(
            ValueError, r"'all' is not in .*\['extra', 'test'\]"
        ):
            self.open("all")

    @parameterized.parameters(*FORMATS)
    def test_any_split_of_tfds_can_be_named(self, file_format):
        self.prepare(file_format, {"train": 13})
        source = self.open("train[3:12]")
        want = [(index, index + 3) for index in range(9)]
        self.assertEqual(self.numbers(source, shuffle=False), want)
        self.assertCountEqual(self.numbers(source), want)

    @parameterized.parameters((1, 3), (3, 1))
    def test_channels_are_converted_where_asked(self, own, wanted):
        self.prepare("array_record", {"train": 3}, channels=own)
        self.assertEqual(self.open().channels, own)
        source = self.open(channels=wanted)
        self.assertEqual(source.channels, wanted)
        image = source.read(tf.constant(1, tf.int64))["image"]
        self.assertAllClose(image, _pixels(1, wanted), atol=1)

    def test_a_data_set_that_is_not_prepared_is_not_downloaded(self):
        with self.assertRaisesRegex(
            ValueError,
            f"{self.data_dir} does not hold it: run `tfds build mnist "
            f"--data_dir={self.data_dir}`",
        ):
            tfds_source.TFDSSource("mnist", data_dir=self.data_dir)

    def test_a_split_that_does_not_exist_is_refused(self):
        self.prepare("tfrecord", {"test": 3})
        with self.assertRaisesRegex(ValueError, r"'train' is not in .*'test'"):
            self.open("train")

    def test_a_data_set_without_images_is_refused(self):
        folder = pathlib.Path(self.data_dir) / "tiny" / "1.0.0"
        _prepare(
            folder,
            "tfrecord",
            {"train": [{"sound": "a"}, {"sound": "b"}]},
            {"sound": tfds.features.Text()},
        )
        with self.assertRaisesRegex(ValueError, "feature `image` of uint8"):
            self.open()

    @slow_cases.slow_cases(1)
    @parameterized.parameters(*FORMATS)
    def test_files_are_read_by_the_rules_of_a_folder(self, file_format):
        lying = corpus.corpus()["orientation_6_big.jpg"]
        files = [{"image": io.BytesIO(lying.contents)} for _ in range(2)]
        _prepare(
            pathlib.Path(self.data_dir) / "tiny" / "1.0.0",
            file_format,
            {"train": files},
            {"image": tfds.features.Image(shape=(None, None, 3))},
        )
        source = tfds_source.TFDSSource(
            "tiny", "all", data_dir=self.data_dir, max_pixels=16 * 24
        )
        images = [element["image"] for element in source.epoch()]
        self.assertLen(images, 2)
        self.assertEqual(list(source.encoded_images(1)), [lying.contents])
        self.assertAllClose(
            tf.cast(images[0], tf.int32),
            lying.pixels.astype(np.int32),
            atol=12,
        )
        source = tfds_source.TFDSSource(
            "tiny", "all", data_dir=self.data_dir, max_pixels=16 * 24 - 1
        )
        with self.assertRaisesRegex(
            tf.errors.InvalidArgumentError, "1 to 383 pixels.*tfds:tiny"
        ):
            list(source.epoch())

    @parameterized.parameters(*FORMATS)
    def test_four_channels_are_left_to_tensorflow_datasets(self, file_format):
        pixels = np.arange(4 * 6 * 4, dtype=np.uint8).reshape(4, 6, 4)
        _prepare(
            pathlib.Path(self.data_dir) / "tiny" / "1.0.0",
            file_format,
            {"train": [{"image": pixels}] * 2},
            {"image": tfds.features.Image(shape=(None, None, 4))},
        )
        source = tfds_source.TFDSSource("tiny", "all", data_dir=self.data_dir)
        self.assertEqual(source.channels, 4)
        for element in source.epoch():
            self.assertAllEqual(element["image"], pixels)


if __name__ == "__main__":
    tf.test.main()

"""`tfrecord:GLOB`: TFRecord files of tf.train.Example, streamed.

Dimension key:
  H W: image, px   C: channels
"""

import tensorflow as tf

from tf_simmim.data.damaged_records_error import DamagedRecordsError
from tf_simmim.data.sources import decoding
from tf_simmim.data.sources import holdout
from tf_simmim.data.sources import record_files
from tf_simmim.data.sources import source

_IMAGE = "image/encoded"
_LABEL = "image/class/label"


class TFRecordSource(source.Source):
    """Examples with `image/encoded` and, optionally, `image/class/label`.

    The first is the bytes of a JPEG, PNG, GIF or BMP file; the second is one
    int64, kept as it is (many ImageNet files count from 1). There are labels
    if the first example has one. Opening the source walks over every file to
    count its records.

    Every twentieth record is the test split; of fewer than twenty, the last.
    A split is read by passing over the other. The split "all" is every
    record.

    Args:
        pattern: str. File names, with the wildcards of `tf.io.gfile.glob`.
        split: "train", "test" or "all".
        channels: int, 1 (grey) or 3 (colour). Default: 3.
        max_pixels: int. Larger images are bad. Default: 50 million.

    Raises:
        ValueError: no file matches, a file is cut off or holds something
            else, there is no image of that split, `channels` is neither 1
            nor 3, or `max_pixels` is not positive.
        DamagedRecordsError: the first record was changed since it was written.
        tf.errors.InvalidArgumentError: in `decode`, naming file and record:
            the image is bad, as `decoding.decode` says.
    """

    reads_files = True

    def __init__(
        self,
        pattern,
        split="train",
        channels=None,
        max_pixels=decoding.MAX_PIXELS,
    ):
        holdout.require_split(split)
        channels = 3 if channels is None else channels
        decoding.require_colour_or_grey(channels)
        decoding.require_max_pixels(max_pixels)
        paths = sorted(tf.io.gfile.glob(pattern))
        if not paths:
            raise ValueError(
                f"`tfrecord:{pattern}` needs TFRecord files, and no file "
                "matches that: write them, or correct the pattern (quote it "
                "on a command line)."
            )
        num_records = record_files.count_records(paths)
        self._files = record_files.RecordFiles(paths, num_records)
        self._split = split
        self._max_pixels = max_pixels
        super().__init__(
            name=f"tfrecord:{pattern}",
            num_images=holdout.count(self._files.total, split),
            channels=channels,
            random_access=False,
        )
        self._features = {_IMAGE: tf.io.FixedLenFeature([], tf.string)}
        if self._first_example_has_a_label():
            self._features[_LABEL] = tf.io.FixedLenFeature([], tf.int64)

    def describe(self, index):
        return self._files.describe(
            holdout.position(index, self._files.total, self._split)
        )

    def damage(self):
        return self._files.damage()

    def records(self, order_seed, shuffle=True):
        split, total = self._split, self._files.total
        records = self._files.stream(order_seed, shuffle)
        records = records.filter(
            lambda record: holdout.belongs(record["index"], total, split)
        )
        return records.map(
            lambda record: {
                **record,
                "index": holdout.index_within(record["index"], split),
            }
        )

    def decode(self, record):
        example = tf.io.parse_single_example(record["record"], self._features)
        where = [record["path"], f"{self._split} image", record["index"]]
        element = {
            "image": decoding.decode(
                example[_IMAGE], self.channels, where, self._max_pixels
            )
        }
        if _LABEL in self._features:
            element["label"] = example[_LABEL]
        return element

    def _first_example_has_a_label(self):
        records = self._files.stream(order_seed=None, shuffle=False)
        try:
            first = next(iter(records))
        except tf.errors.DataLossError as error:
            raise DamagedRecordsError(self.name, self.damage()) from error
        example = tf.train.Example.FromString(first["record"].numpy())
        if _IMAGE not in example.features.feature:
            raise ValueError(
                f"Examples must have the feature `{_IMAGE}`. Received: "
                f"{sorted(example.features.feature)} in {first['path']}."
            )
        return _LABEL in example.features.feature

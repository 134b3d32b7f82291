"""`tfrecord:GLOB`: TFRecord files of tf.train.Example, streamed.

Dimension key:
  H W: image, px   C: channels
"""

import hashlib
import os

import tensorflow as tf

from tf_simmim.data.errors import DamagedRecordsError
from tf_simmim.data.sources import decoding
from tf_simmim.data.sources import holdout
from tf_simmim.data.sources import record_files
from tf_simmim.data.sources import record_index
from tf_simmim.data.sources import source

_IMAGE = "image/encoded"
_LABEL = "image/class/label"


class TFRecordSource(source.Source):
    """Examples with `image/encoded` and, optionally, `image/class/label`.

    The first is the bytes of a JPEG, PNG, GIF or BMP file; the second is one
    int64, kept as it is (many ImageNet files count from 1). There are labels
    if the first example has one.

    If the files lie in a folder that `experiments/prepare.py` wrote, its index
    says how many records there are and of which classes, and names and sizes
    of the files must be as it lists them. Otherwise opening the source walks
    over every file to count its records.

    Files of the index's train and test split together are these splits, and
    "all" is the train split. In other files every twentieth record is the test
    split; of fewer than twenty, the last. A split is then read by passing over
    the other, and the split "all" is every record.

    Args:
        pattern: str. File names, with the wildcards of `tf.io.gfile.glob`.
        split: "train", "test" or "all".
        channels: int, 1 (grey) or 3 (colour). Default: 3.
        max_pixels: int. Larger images are bad. Default: 50 million.

    Raises:
        ValueError: no file matches, a file is cut off, holds something else
            or is not as the index lists it, there is no image of that split,
            `channels` is neither 1 nor 3, or `max_pixels` is not positive.
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
        paths = [
            path
            for path in sorted(tf.io.gfile.glob(pattern))
            if os.path.basename(path) != record_index.FILE
        ]
        if not paths:
            raise ValueError(
                f"`tfrecord:{pattern}` needs TFRecord files, and no file "
                "matches that: write them, or correct the pattern (quote it "
                "on a command line)."
            )
        index = record_index.find(paths)
        self._shards, self._split, class_names = [], split, None
        if index is None:
            num_records = record_files.count_records(paths)
        else:
            if {"train", "test"} <= {s.split for s in index.of(paths)}:
                chosen = "test" if split == "test" else "train"
                # Nothing is held out of what is a split already.
                paths, self._split = index.paths_of(chosen, paths), "all"
            self._shards = index.of(paths)
            num_records = [shard.records for shard in self._shards]
            class_names = index.class_names[self._shards[0].split]
        self._paths = paths
        self._split_name = split
        self._files = record_files.RecordFiles(paths, num_records)
        self._max_pixels = max_pixels
        super().__init__(
            name=f"tfrecord:{pattern}",
            num_images=holdout.count(self._files.total, self._split),
            channels=channels,
            class_names=class_names,
            random_access=False,
        )
        self._features = {_IMAGE: tf.io.FixedLenFeature([], tf.string)}
        if self._first_example_has_a_label():
            self._features[_LABEL] = tf.io.FixedLenFeature([], tf.int64)

    def describe(self, index):
        return self._files.describe(
            holdout.position(index, self._files.total, self._split)
        )

    def digest(self):
        if not self._shards:
            return super().digest()
        contents = "".join(shard.sha256 for shard in self._shards)
        digest = hashlib.sha256(contents.encode()).hexdigest()
        return f"{len(self)} images, {digest[:16]}"

    def damage(self):
        damage = self._files.damage()
        if not damage and self._shards:
            return record_index.changed(self._paths, self._shards)
        return damage

    def encoded_images(self, count):
        for record in self.records(None, shuffle=False).take(count):
            example = tf.train.Example.FromString(record["record"].numpy())
            yield from example.features.feature[_IMAGE].bytes_list.value

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
        where = [record["path"], f"{self._split_name} image", record["index"]]
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

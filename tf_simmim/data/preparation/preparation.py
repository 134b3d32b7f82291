"""Writes any source as record files of smaller images, with an index."""

import itertools
import os
import re

import tensorflow as tf
from absl import logging

from tf_simmim import randomness
from tf_simmim import version
from tf_simmim.data import bad_images
from tf_simmim.data.errors import DamagedRecordsError
from tf_simmim.data.inspection import in_order
from tf_simmim.data.preparation import image_record
from tf_simmim.data.preparation import unfinished_folder
from tf_simmim.data.sources import record_index

_SEED = 0  # of the order in which images are stored
_NUM_NAMED = 3


class Preparation:
    """Writes shards of TFRecord files, one after another.

    Images are stored in an order drawn once, the same every time, since a
    folder's own goes class by class, and record files are shuffled within
    windows only. Shard i of a split has the images at the places i * n ..
    (i + 1) * n - 1 of that order, n = `images_per_shard`, without bad ones;
    so where one begins is known without having written those before it.

    Killed at any moment, the same arguments go on with the first shard that
    is missing, and the folder ends up the same, byte for byte.

    Args:
        sources: dict of str, split -> `Source`. The order of splits is kept.
        folder: str or path: new, empty, or begun by the same arguments.
        short_side, image_format, quality: as `ImageRecord`.
        images_per_shard: int > 0. 8,192 are some 200 MB at 256 px.
        num_shards: int > 0, shards in each split in the place of
            `images_per_shard`; fewer if there are too few images.
        shuffle: bool. False: in the order of the source.
        max_bad_images: int >= 0. How many images may be left out. Default:
            of each split 100, or one in a thousand if that is more.
        num_workers: int > 0. Threads that decode. Default: one a core.

    Attributes:
        total: int. Images in all splits.
        left_out: list of dicts: `split`, `name` and `reason`.
        index: `RecordIndex`; None before the end.
        folder: path.

    Raises:
        ValueError: an argument breaks its rule, or as `ImageRecord` and
            `UnfinishedFolder`.
    """

    def __init__(
        self,
        sources,
        folder,
        short_side=256,
        image_format="jpeg",
        quality=90,
        images_per_shard=8192,
        num_shards=None,
        shuffle=True,
        max_bad_images=None,
        num_workers=None,
    ):
        for name, value in (
            ("images_per_shard", images_per_shard),
            ("num_shards", 1 if num_shards is None else num_shards),
            ("num_workers", 1 if num_workers is None else num_workers),
        ):
            if value < 1:
                raise ValueError(
                    f"`{name}` must be positive. Received: {value}."
                )
        if max_bad_images is None:
            max_bad_images = sum(
                bad_images.default_limit(len(source))
                for source in sources.values()
            )
        self.total = sum(len(source) for source in sources.values())
        self.left_out = []
        self._max_bad_images = max_bad_images
        self._num_workers = num_workers or os.cpu_count()
        self._shuffle = shuffle
        self._records = {
            split: image_record.ImageRecord(
                source, short_side, image_format, quality
            )
            for split, source in sources.items()
        }
        # Of each split: its shards' names, and the images in each.
        self._plans = {}
        for split, source in sources.items():
            size = images_per_shard
            if num_shards is not None:
                size = -(-len(source) // num_shards)
            count = -(-len(source) // size)
            word = re.sub(r"[^A-Za-z0-9_.]+", "-", split).strip("-")
            self._plans[split] = (
                size,
                [
                    f"{word}-{number:05d}-of-{count:05d}.tfrecord"
                    for number in range(count)
                ],
            )
        self._settings = {
            "source": next(iter(sources.values())).name,
            "splits": {s: source.digest() for s, source in sources.items()},
            "channels": next(iter(sources.values())).channels,
            "short_side": short_side,
            "image_format": image_format,
            "quality": quality if image_format == "jpeg" else None,
            "images_per_shard": {
                s: size for s, (size, _) in self._plans.items()
            },
            "shuffle": shuffle,
            # Another version may decode or encode otherwise.
            "tensorflow": tf.__version__,
            "tf_simmim": version.VERSION,
        }
        self._folder = unfinished_folder.UnfinishedFolder(
            folder, self._settings
        )
        self.folder = self._folder.path

    @property
    def index(self):
        return self._folder.index

    def run(self, progress=lambda count: None) -> record_index.RecordIndex:
        """Writes what is missing, and the index at the end.

        Args:
            progress: callable (int), told how many more images of `total`
                are done, whether now or before.

        Raises:
            ValueError: more than `max_bad_images` are bad, or all of a split,
                or a file cannot be written.
            DamagedRecordsError: the source's own record files are damaged.
        """
        if self.index is not None:
            progress(self.total)
            return self.index
        shards = []
        for split in self._records:
            of_split = list(self._write_split(split, progress))
            if not any(shard.records for shard in of_split):
                raise ValueError(
                    f"At least one image of the split {split!r} must be good. "
                    f"Received: {self._last_reasons()}."
                )
            shards += of_split
        index = record_index.RecordIndex(
            tuple(shards),
            {
                split: record.source.class_names
                and list(record.source.class_names)
                for split, record in self._records.items()
            },
            self._settings,
            tuple(self.left_out),
        )
        self._folder.finish(index)
        return index

    def changed(self) -> list[str]:
        """Reads every file of a finished folder.

        Returns:
            list of str, each naming a file that is not as it was written.

        Raises:
            ValueError: a file is gone or has another size.
        """
        shards = self.index.shards
        paths = [str(self.folder / shard.file) for shard in shards]
        record_index.find(paths)
        return record_index.changed(paths, shards)

    def close(self) -> None:
        """Lets the folder go, which is locked as long as this is there."""
        self._folder.close()

    def _write_split(self, split, progress):
        """Yields the `Shard` of each file, once it is there."""
        size, files = self._plans[split]
        total = len(self._records[split].source)
        results, results_at = None, None
        for number, file in enumerate(files):
            begin, end = number * size, min((number + 1) * size, total)
            facts = self._folder.facts(file)
            if facts is None:
                if results_at != begin:
                    results = self._results(split, begin)
                num_before = len(self.left_out)
                facts = self._folder.write_shard(
                    file,
                    self._good(
                        split, itertools.islice(results, end - begin), progress
                    ),
                )
                facts["left_out"] = self.left_out[num_before:]
                self._folder.finish_shard(file, facts)
                results_at = end
            else:
                self.left_out += facts["left_out"]
                self._require_few()
                progress(end - begin)
            facts.pop("left_out")
            yield record_index.Shard(file, split, **facts)

    def _results(self, split, begin):
        """Yields (name, record, None) or (name, None, why it is bad)."""
        record = self._records[split]
        order_seed = randomness.seed_for(_SEED, randomness.ORDER, 0)
        elements = record.elements(order_seed, self._shuffle).skip(begin)

        def make(element):
            try:
                return record.name_of(element), record(element), None
            except bad_images.READING_ERRORS as error:
                return record.name_of(element), None, bad_images.reason(error)

        try:
            yield from in_order.map_in_order(make, elements, self._num_workers)
        except bad_images.READING_ERRORS as error:
            damage = record.source.damage()
            if damage:
                raise DamagedRecordsError(record.source.name, damage) from error
            raise

    def _good(self, split, results, progress):
        """Yields the records there are, and notes the others."""
        for name, record, why in results:
            if record is None:
                logging.warning("Left out %s: %s", name, why)
                self.left_out.append(
                    {"split": split, "name": name, "reason": why}
                )
                self._require_few()
            else:
                yield record
            progress(1)

    def _require_few(self):
        if len(self.left_out) > self._max_bad_images:
            raise ValueError(
                f"At most {self._max_bad_images:,} images may be left out: "
                "mend them, or go on with a higher `max_bad_images`. "
                f"Received: {len(self.left_out):,} bad images, the last of "
                f"them {self._last_reasons()}."
            )

    def _last_reasons(self):
        return "; ".join(
            f"{bad['name']} ({bad['reason']})"
            for bad in self.left_out[-_NUM_NAMED:]
        )

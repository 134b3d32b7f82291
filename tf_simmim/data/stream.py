"""The stream of training elements: entered anywhere, the same every time.

Dimension key:
  B: rows of a batch on one worker   H W: image, px   C: channels
  h w: grid of model patches   k: index in the stream   n: images in the source
  N: boxes of an image, at most
"""

import numpy as np
import tensorflow as tf

from tf_simmim import randomness
from tf_simmim.data import box_moves
from tf_simmim.data import order
from tf_simmim.data import sharing
from tf_simmim.data.bad_images import READING_ERRORS
from tf_simmim.data.bad_images import BadImages
from tf_simmim.data.errors import DamagedRecordsError
from tf_simmim.data.errors import TooManyBadImagesError

IMAGE_DTYPES = ("float32", "uint8")


class ImageStream:
    """An endless sequence of elements, each a function of (source, seed, k).

    Element k belongs to epoch k // n. Within an epoch every image comes once,
    in an order drawn for that epoch; augmentation and mask are drawn for k.
    So a run is resumed by starting at another k, and many workers share one
    stream by taking different k.

    A bad image of a random-access source is replaced: where position p of an
    epoch holds one, element k takes the image of p + 1, p + 2, ... of that
    epoch, past its end those from its start, and keeps its own augmentation
    and mask. Which images are bad is a property of the files, so this holds
    for every worker and after every restart. A streaming source cannot be
    entered anywhere: a bad image in it ends the run, as damaged files do.

    An element is a dict:

        image       float32 [H, W, C], normalised; or uint8, pixels
        patch_mask  int32 [h, w], 1 = hidden, 0 = visible; with `random_mask`
        label       int64 [], if the source has labels
        segmentation  uint8 [H, W, 1], class of each pixel, 255 = ignore it;
                    with `with_segmentation`
        boxes       float32 [N, 4]: top, left, bottom, right, px; -1 where
                    there is none; with `with_boxes`
        box_classes int64 [N], -1 where there is none; likewise
        index       int64 [], position in the source (of the replacement)

    Args:
        source: `Source`.
        transform: callable (image uint8 [H, W, C], seed int64 [2]) -> float
            [H, W, C] of fixed size on the 0..255 scale. For training
            `PretrainingAugmentation`, for held-out images
            `ResizeAndCentreCrop`.
        normalization: `Normalization`.
        random_mask: `masking.PatchMask`, such as `models.SimMIM.random_mask`,
            or None for images without masks.
        seed: int. Of the run.
        shuffle: bool. False: every epoch in the order of the source.
        max_bad_images: int >= 0. More of them end the run. Default: as
            `BadImages`.
        image_dtype: "float32", or "uint8": pixels after augmentation, rounded
            and not normalised, for a model that normalises them itself
            (`models.SimMIM.normalize`). They take a quarter of the bytes on
            their way to a device, and each value is off by half a level of
            256 at most.
        with_segmentation: bool. Elements carry the source's `segmentation`,
            which `transform` takes as an argument of that name, and returns
            beside the image.
        with_boxes: bool. The same of the source's `boxes`, with their classes.

    Attributes: the arguments, and
        bad_images: `BadImages`, those found so far; None for a source in
            memory, which has none.
        error: the exception that ended a data set of `batches`, or None.
            `tf.data` itself hands on an error of another type, which has the
            message of this one somewhere in its own.

    Raises:
        ValueError: `normalization` is for another number of channels,
            `image_dtype` is unknown, or `with_segmentation` or `with_boxes`
            comes with a source that has none.
        TooManyBadImagesError: from `element`, and as `error`.
        DamagedRecordsError: as `error`: record files are damaged.

    Randomness: stateless, all from `seed`; TensorFlow's global seed has no
        part in it.
    """

    def __init__(
        self,
        source,
        transform,
        normalization,
        random_mask=None,
        seed=0,
        shuffle=True,
        max_bad_images=None,
        image_dtype="float32",
        with_segmentation=False,
        with_boxes=False,
    ):
        if with_segmentation and source.segmentation_class_names is None:
            raise ValueError(
                "`source` must have a class for each pixel, for "
                "`with_segmentation`: builtin:digit_scenes has, or a folder of "
                f"images and masks. Received: {source.name}."
            )
        if with_boxes and source.box_class_names is None:
            raise ValueError(
                "`source` must have boxes of objects, for `with_boxes`: "
                "builtin:digit_scenes has, or a JSON file as COCO has it. "
                f"Received: {source.name}."
            )
        if len(normalization.mean) != source.channels:
            raise ValueError(
                "`normalization` must have one mean for each channel of "
                f"`source`. Received: {len(normalization.mean)} means, and "
                f"{source.channels} channels in {source.name}."
            )
        if image_dtype not in IMAGE_DTYPES:
            raise ValueError(
                f"`image_dtype` must be one of {IMAGE_DTYPES}. "
                f"Received: {image_dtype!r}."
            )
        self.source = source
        self.transform = transform
        self.normalization = normalization
        self.random_mask = random_mask
        self.seed = seed
        self.shuffle = shuffle
        self.image_dtype = image_dtype
        self.with_segmentation = with_segmentation
        self.with_boxes = with_boxes
        self.bad_images = None
        self.error = None
        if source.reads_files:
            self.bad_images = BadImages(source, max_bad_images)

    def element(self, k) -> dict:
        """Makes element k, of a random-access source.

        Args:
            k: int or int64 scalar tensor, >= 0.

        Returns:
            dict, as in the class's description.
        """
        k = tf.cast(k, tf.int64)
        if self.bad_images is not None and tf.executing_eagerly():
            self._require_good(k)
        index = self._index(k)
        return self._finish(self.source.read(index), index, k)

    def batches(
        self,
        batch_size,
        start_index=0,
        stop_index=None,
        num_workers=1,
        worker=0,
        num_replicas=1,
        drop_remainder=True,
        num_parallel_calls=tf.data.AUTOTUNE,
    ) -> tf.data.Dataset:
        """Yields the elements start_index, start_index + 1, ... in batches.

        Worker w of W gets the rows w * B .. (w + 1) * B - 1 of every global
        batch, B = batch_size / W; where it has R replicas, they come in R
        parts of B / R rows, in order. To resume, `start_index` is the number
        of finished steps times `batch_size`.

        A random-access source starts anywhere at once. A streaming source
        first passes over the records of the epoch that come before
        `start_index`: it reads them but does not decode them, at most one
        epoch of reading. Each worker likewise reads everything and decodes
        its own rows.

        Args:
            batch_size: int > 0, a multiple of `num_workers * num_replicas`.
                The global batch.
            start_index: int >= 0, a multiple of `batch_size`. First k.
            stop_index: int >= start_index: the k to stop before. Default:
                never. For held-out images `len(source)`.
            num_workers: int > 0, W.
            worker: int, 0 <= worker < num_workers, w.
            num_replicas: int > 0, R. Replicas of each worker.
            drop_remainder: bool. False: the last global batch before
                `stop_index` may be smaller, and have no part for some.
            num_parallel_calls: int. Elements made at once. It changes speed
                alone.

        Returns:
            Data set of dicts as in the class's description, each value with a
            leading dimension B / R. It shards itself: automatic sharding is
            off.
            It prefetches already; of a source of files, do not `prefetch` it
            again: see the comment below.

        Raises:
            ValueError: an argument breaks its rule above.
        """
        sharing.require_shares(
            batch_size=batch_size,
            start_index=start_index,
            stop_index=stop_index,
            num_workers=num_workers,
            worker=worker,
            num_replicas=num_replicas,
        )
        rows = batch_size // num_workers
        drop_remainder = drop_remainder or stop_index is None
        if stop_index is not None and drop_remainder:
            stop_index -= (stop_index - start_index) % batch_size

        def inputs_from(start_index):
            if self.source.random_access:
                return sharing.own_indices(
                    batch_size, start_index, stop_index, rows, worker
                )
            records = self._records(start_index)
            if stop_index is not None:
                records = records.take(stop_index - start_index)
            return records.filter(lambda k, _: k % batch_size // rows == worker)

        def batches_from(start_index, num_parts=num_replicas):
            make = self.element if self.source.random_access else self._decoded
            elements = inputs_from(start_index).map(
                make, num_parallel_calls, deterministic=True
            )
            batches = elements.batch(rows // num_parts, drop_remainder)
            return batches.prefetch(tf.data.AUTOTUNE)

        def generate():
            start, failed_at = start_index, None
            while True:
                try:
                    for batch in batches_from(start, num_parts=1):
                        # Without a copy, which `numpy()` would make.
                        batch = {
                            key: np.asarray(memoryview(value))
                            for key, value in batch.items()
                        }
                        yield from sharing.parts(batch, rows // num_replicas)
                        start += batch_size
                    return
                except READING_ERRORS:
                    found = self._find_bad(inputs_from(start).take(rows))
                    # Once more even so: another data set of this stream may
                    # have found it in between.
                    if not found and start == failed_at:
                        raise
                    failed_at = start

        batches = batches_from(start_index)
        if self.bad_images is not None:
            # Python sees batches, not images: a function called for every
            # image costs a seventh of the speed.
            cardinality = batches.cardinality()
            batches = tf.data.Dataset.from_generator(
                generate, output_signature=batches.element_spec
            )
            if cardinality != tf.data.UNKNOWN_CARDINALITY:
                batches = batches.apply(
                    tf.data.experimental.assert_cardinality(cardinality)
                )
        options = tf.data.Options()
        options.deterministic = True
        # No thread of tf.data may be in Python when an iterator is deleted:
        # deleting waits for it with the interpreter's lock in its hand. The
        # pipeline inside the generator prefetches, without Python.
        options.experimental_optimization.inject_prefetch = False
        options.experimental_distribute.auto_shard_policy = (
            tf.data.experimental.AutoShardPolicy.OFF
        )
        return batches.with_options(options)

    @tf.autograph.experimental.do_not_convert
    def _index(self, k):
        """Returns the index of element k, past images known to be bad."""
        num_images = len(self.source)
        order_seed = self._order_seed(k // num_images)

        def index_at(position):
            if not self.shuffle:
                return position
            return order.shuffled(position, num_images, order_seed)

        position = k % num_images
        if self.bad_images is not None:
            (position,) = tf.while_loop(
                lambda position: self.bad_images.has(index_at(position)),
                lambda position: [(position + 1) % num_images],
                [position],
            )
        return index_at(position)

    def _find_bad(self, inputs):
        """Reads, one by one, what a batch is made of that failed.

        Returns:
            bool: whether it found bad images, which are passed over now.

        Raises:
            TooManyBadImagesError, DamagedRecordsError: also kept as `error`.
        """
        num_known = len(self.bad_images)
        try:
            if self.source.random_access:
                for k in inputs:
                    self._require_good(k)
            else:
                self._require_good_records(inputs)
        except (TooManyBadImagesError, DamagedRecordsError) as error:
            self.error = error
            raise
        return len(self.bad_images) > num_known

    def _require_good(self, k):
        """Adds bad images until one for element k is good."""
        while True:
            index = self._index(k)
            try:
                self.source.read(index)
                return
            except READING_ERRORS as error:
                self.bad_images.add(int(index), error)

    def _require_good_records(self, records):
        try:
            for _, record in records:
                try:
                    self.source.decode(record)
                except READING_ERRORS as error:
                    self.bad_images.add(int(record["index"]), error)
        except READING_ERRORS as error:
            damage = self.source.damage()
            if damage:
                raise DamagedRecordsError(self.source.name, damage) from error
            raise

    def _records(self, start_index):
        """Yields (k, record), k = start_index, start_index + 1, ..."""
        epoch, num_before = divmod(start_index, len(self.source))
        records = tf.data.Dataset.counter(epoch).flat_map(
            lambda epoch: self.source.records(
                self._order_seed(epoch), self.shuffle
            )
        )
        return records.skip(num_before).enumerate(start_index)

    def _decoded(self, k, record):
        return self._finish(self.source.decode(record), record["index"], k)

    def _order_seed(self, epoch):
        return randomness.seed_for(self.seed, randomness.ORDER, epoch)

    def _finish(self, element, index, k):
        seed = randomness.seed_for(self.seed, randomness.AUGMENTATION, k)
        finished = {"index": index}
        moving = {
            name: element[name]
            for name, is_wanted in (
                ("segmentation", self.with_segmentation),
                ("boxes", self.with_boxes),
            )
            if is_wanted
        }
        image = self.transform(element["image"], seed, **moving)
        if moving:
            image, *moved = image
            finished |= zip(moving, moved, strict=True)
        if self.with_boxes:
            finished["box_classes"] = tf.where(
                box_moves.is_box(finished["boxes"]), element["box_classes"], -1
            )
        if self.image_dtype == "uint8":
            image = tf.clip_by_value(tf.round(image), 0.0, 255.0)
            image = tf.cast(image, tf.uint8)
        else:
            image = self.normalization.normalize(image)
        finished["image"] = image
        if self.random_mask is not None:
            finished["patch_mask"] = self.random_mask.of_element(self.seed, k)
        if "label" in element:
            finished["label"] = element["label"]
        return finished

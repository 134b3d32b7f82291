"""The stream of training elements: entered anywhere, the same every time.

Dimension key:
  B: rows of a batch on one worker   H W: image, px   C: channels
  h w: grid of model patches   k: index in the stream   n: images in the source
"""

import tensorflow as tf

from tf_simmim import randomness
from tf_simmim.data import order


class ImageStream:
    """An endless sequence of elements, each a function of (source, seed, k).

    Element k belongs to epoch k // n. Within an epoch every image comes once,
    in an order drawn for that epoch; augmentation and mask are drawn for k.
    So a run is resumed by starting at another k, and many workers share one
    stream by taking different k.

    An element is a dict:

        image       float32 [H, W, C], normalised
        patch_mask  int32 [h, w], 1 = hidden, 0 = visible; with `random_mask`
        label       int64 [], if the source has labels
        index       int64 [], position in the source

    Args:
        source: `Source`.
        transform: callable (image uint8 [H, W, C], seed int64 [2]) -> float
            [H, W, C] of fixed size on the 0..255 scale. For training
            `PretrainingAugmentation`, for held-out images
            `ResizeAndCentreCrop`.
        normalization: `Normalization`.
        random_mask: `RandomPatchMask`, or None for images without masks.
        seed: int. Of the run.
        shuffle: bool. False: every epoch in the order of the source.

    Raises:
        ValueError: `normalization` is for another number of channels.

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
    ):
        if len(normalization.mean) != source.channels:
            raise ValueError(
                "`normalization` must have one mean for each channel of "
                f"`source`. Received: {len(normalization.mean)} means, and "
                f"{source.channels} channels in {source.name}."
            )
        self.source = source
        self.transform = transform
        self.normalization = normalization
        self.random_mask = random_mask
        self.seed = seed
        self.shuffle = shuffle

    def element(self, k) -> dict:
        """Makes element k, of a random-access source.

        Args:
            k: int or int64 scalar tensor, >= 0.

        Returns:
            dict, as in the class's description.
        """
        num_images = len(self.source)
        k = tf.cast(k, tf.int64)
        index = k % num_images
        if self.shuffle:
            order_seed = self._order_seed(k // num_images)
            index = order.shuffled(index, num_images, order_seed)
        return self._finish(self.source.read(index), index, k)

    def batches(
        self,
        batch_size,
        start_index=0,
        stop_index=None,
        num_workers=1,
        worker=0,
        drop_remainder=True,
        num_parallel_calls=tf.data.AUTOTUNE,
    ) -> tf.data.Dataset:
        """Yields the elements start_index, start_index + 1, ... in batches.

        Worker w of W gets the rows w * B .. (w + 1) * B - 1 of every global
        batch, B = batch_size / W. To resume, `start_index` is the number of
        finished steps times `batch_size`.

        A random-access source starts anywhere at once. A streaming source
        first passes over the records of the epoch that come before
        `start_index`: it reads them but does not decode them, at most one
        epoch of reading. Each worker likewise reads everything and decodes
        its own rows.

        Args:
            batch_size: int > 0, a multiple of `num_workers`. The global batch.
            start_index: int >= 0, a multiple of `batch_size`. First k.
            stop_index: int >= start_index: the k to stop before. Default:
                never. For held-out images `len(source)`.
            num_workers: int > 0, W.
            worker: int, 0 <= worker < num_workers, w.
            drop_remainder: bool. False: the last batch before `stop_index`
                may be smaller.
            num_parallel_calls: int. Elements made at once. It changes speed
                alone.

        Returns:
            Data set of dicts as in the class's description, each value with a
            leading dimension B. It shards itself: automatic sharding is off.

        Raises:
            ValueError: an argument breaks its rule above.
        """
        _require_rows(batch_size, start_index, stop_index, num_workers, worker)
        rows = batch_size // num_workers

        if self.source.random_access:
            indices = _own_indices(
                batch_size, start_index, stop_index, rows, worker
            )
            elements = indices.map(
                self.element, num_parallel_calls, deterministic=True
            )
        else:
            records = self._records(start_index)
            if stop_index is not None:
                records = records.take(stop_index - start_index)
            records = records.filter(
                lambda k, _: k % batch_size // rows == worker
            )
            elements = records.map(
                self._decoded, num_parallel_calls, deterministic=True
            )
        batches = elements.batch(
            rows, drop_remainder=drop_remainder or stop_index is None
        )
        options = tf.data.Options()
        options.deterministic = True
        options.experimental_distribute.auto_shard_policy = (
            tf.data.experimental.AutoShardPolicy.OFF
        )
        return batches.prefetch(tf.data.AUTOTUNE).with_options(options)

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
        image = self.transform(element["image"], seed)
        finished = {
            "image": self.normalization.normalize(image),
            "index": index,
        }
        if self.random_mask is not None:
            seed = randomness.seed_for(self.seed, randomness.MASK, k)
            finished["patch_mask"] = self.random_mask.sample(seed)
        if "label" in element:
            finished["label"] = element["label"]
        return finished


def _own_indices(batch_size, start_index, stop_index, rows, worker):
    """Yields the k of one worker, in order."""
    first_row = start_index // batch_size * rows
    if stop_index is None:
        own_rows = tf.data.Dataset.counter(first_row)
    else:
        num_whole, num_left = divmod(stop_index - start_index, batch_size)
        num_own = min(max(num_left - worker * rows, 0), rows)
        last_row = first_row + num_whole * rows + num_own
        own_rows = tf.data.Dataset.range(first_row, last_row)
    return own_rows.map(
        lambda row: row // rows * batch_size + worker * rows + row % rows
    )


def _require_rows(batch_size, start_index, stop_index, num_workers, worker):
    if batch_size < 1 or num_workers < 1 or batch_size % num_workers:
        raise ValueError(
            "`batch_size` must be a positive multiple of `num_workers`. "
            f"Received: batch_size={batch_size}, num_workers={num_workers}."
        )
    if not 0 <= worker < num_workers:
        raise ValueError(
            f"`worker` must lie in 0..{num_workers - 1}. Received: {worker}."
        )
    if start_index < 0 or start_index % batch_size:
        raise ValueError(
            "`start_index` must be a multiple of `batch_size`, 0 or more. "
            f"Received: start_index={start_index}, batch_size={batch_size}."
        )
    if stop_index is not None and stop_index < start_index:
        raise ValueError(
            "`stop_index` must not lie before `start_index`. "
            f"Received: start_index={start_index}, stop_index={stop_index}."
        )

"""`tfds:NAME`: a data set of TensorFlow Datasets that has been prepared.

Dimension key:
  H W: image, px   C: channels
"""

import numpy as np
import tensorflow as tf

from tf_simmim.data.sources import decoding
from tf_simmim.data.sources import holdout
from tf_simmim.data.sources import record_files
from tf_simmim.data.sources import source
from tf_simmim.data.sources import tfds_boxes
from tf_simmim.data.sources import tfds_masks

_HELD_OUT = ("validation", "test")


class TFDSSource(source.Source):
    """A prepared data set with the feature `image`, and perhaps some more.

    These are `label`; `objects` with `bbox` and `label`, the boxes of objects,
    see `tfds_boxes.boxes_of`; and `segmentation_mask` or `segmentation_label`,
    PNG files of the image's size with the number of a class in each pixel,
    255 = no class.

    Nothing is downloaded: the data set must lie under `data_dir`. Files in a
    random-access format (ArrayRecord) are read at random, TFRecord files are
    streamed.

    The splits "validation" and "test" are the data set's own, and each stands
    for the other where that is missing. If there is neither, both are the last
    twentieth of `train`, and the train split is the rest. The split "all" is
    the whole of `train`, or the only split there is; it is not TensorFlow
    Datasets' own "all", which has the test images in it.

    Args:
        name: str. "NAME", "NAME/CONFIG" or "NAME:VERSION".
        split: "train", "validation", "test", "all", or any split in the
            language of TensorFlow Datasets, such as "train[:10%]".
        data_dir: str, or None: `TFDS_DATA_DIR` or ~/tensorflow_datasets.
        channels: int, 1 or 3. Default: what the data set has, and 3 where
            that varies.
        max_pixels: int. Larger images are bad. Default: 50 million. Images
            of other than 1 or 3 channels are decoded by TensorFlow Datasets,
            without this limit.
        segmentation_class_names: sequence of str, or None. Names of the numbers
            0, 1, 2, ... in masks. Default: those that the data set has itself;
            without any, masks are left out.

    Raises:
        ValueError: the data set is not prepared there, it has no such split
            or no uint8 feature `image`, its files are in a format that is
            neither random-access nor TFRecord, `channels` is neither 1 nor 3,
            `max_pixels` is not positive, or classes are named and there are no
            masks.
        tf.errors.InvalidArgumentError: in `read` and `decode`: an image is
            bad, as `decoding.decode` says, or a mask, as
            `decoding.decode_labels` says.
    """

    reads_files = True

    def __init__(
        self,
        name,
        split="train",
        data_dir=None,
        channels=None,
        max_pixels=decoding.MAX_PIXELS,
        segmentation_class_names=None,
    ):
        # Imported here because it takes seconds.
        import tensorflow_datasets as tfds

        decoding.require_max_pixels(max_pixels)
        builder = _prepared_builder(tfds, name, data_dir)
        info = builder.info
        tfds_split = _tfds_split(info, split)
        features = _wanted_features(tfds, info)
        mask = tfds_masks.wanted(
            tfds, _all_features(tfds, info), segmentation_class_names
        )
        self._mask = None
        if mask is not None:
            self._mask, feature, segmentation_class_names = mask
            features[self._mask] = feature
        # Only these are parsed, whatever else the records hold.
        features = tfds.features.FeaturesDict(features)
        formats = info.available_file_formats()
        random_access = bool(
            formats & tfds.core.FileFormat.with_random_access()
        )
        if not random_access and tfds.core.FileFormat.TFRECORD not in formats:
            raise ValueError(
                f"`tfds:{name}` must be prepared as array_record or tfrecord "
                f"(`tfds build --file_format=array_record`). Received: "
                f"{sorted(file_format.value for file_format in formats)}."
            )
        own_channels = features["image"].shape[-1]
        channels = channels or own_channels or 3
        if channels != own_channels:
            decoding.require_colour_or_grey(channels)
        super().__init__(
            name=f"tfds:{name}",
            num_images=info.splits[tfds_split].num_examples,
            channels=channels,
            class_names=_class_names(features),
            box_class_names=_box_class_names(features),
            segmentation_class_names=segmentation_class_names,
            random_access=random_access,
        )
        self._features = features
        self._max_pixels = max_pixels
        # The encoded file, so that one rule holds for it wherever it lies.
        self._decoders = {}
        if own_channels in (None, 1, 3):
            self._decoders["image"] = tfds.decode.SkipDecoding()
        if self._mask is not None:
            self._decoders[self._mask] = tfds.decode.SkipDecoding()
        if random_access:
            self._data_source = builder.as_data_source(
                split=tfds_split,
                deserialize_method=tfds.decode.DeserializeMethod.RAW_BYTES,
            )
        else:
            parts = info.splits[tfds_split].file_instructions
            self._files = record_files.RecordFiles(
                paths=[part.filename for part in parts],
                num_records=[part.take for part in parts],
                num_skipped=[part.skip for part in parts],
            )

    def describe(self, index):
        if self.random_access:
            return super().describe(index)
        return self._files.describe(index)

    def damage(self):
        return self._files.damage()

    def encoded_images(self, count):
        if "image" not in self._decoders:
            return
        if self.random_access:
            step = max(1, len(self) // count)
            places = range(0, len(self), step)[:count]
            records = (self._data_source[place] for place in places)
        else:
            found = self._files.stream(order_seed=None, shuffle=False)
            records = (each["record"] for each in found.take(count))
        for record in records:
            example = self._features.deserialize_example(
                record, decoders=self._decoders
            )
            yield example["image"].numpy()

    def read(self, index):
        # Python only fetches the bytes; parsing and decoding are in the graph.
        record = tf.numpy_function(
            lambda index: np.array(self._data_source[index], dtype=object),
            [index],
            tf.string,
            stateful=False,
        )
        return self.decode(
            {"record": tf.ensure_shape(record, []), "index": index}
        )

    def records(self, order_seed, shuffle=True):
        return self._files.stream(order_seed, shuffle)

    def decode(self, record):
        example = self._features.deserialize_example(
            record["record"], decoders=self._decoders
        )
        image = example["image"]
        where = [f"an image of {self.name}"]
        if "index" in record:
            where += ["with the index", record["index"]]
        if "image" in self._decoders:
            image = decoding.decode(
                image, self.channels, where, self._max_pixels
            )
        else:
            image = decoding.to_channels(image, self.channels)
        element = {"image": image}
        if "label" in example:
            element["label"] = tf.cast(example["label"], tf.int64)
        if "objects" in example:
            element |= tfds_boxes.boxes_of(example["objects"], image)
        if self._mask is not None:
            element["segmentation"] = decoding.decode_labels(
                example[self._mask],
                tf.shape(image)[:2],
                len(self.segmentation_class_names),
                ["the mask of", *where],
                self._max_pixels,
            )
        return element


def _prepared_builder(tfds, name, data_dir):
    try:
        return tfds.core.read_only_builder.builder_from_files(
            name, data_dir=data_dir
        )
    except tfds.core.DatasetNotFoundError as error:
        folder = data_dir or tfds.core.constants.DATA_DIR
        raise ValueError(
            f"`tfds:{name}` needs a data set prepared by TensorFlow Datasets, "
            f"and {folder} does not hold it: run `tfds build {name} "
            f"--data_dir={folder}`."
        ) from error


def _tfds_split(info, split):
    splits = info.splits
    if split not in (*holdout.SPLITS, "validation"):
        return split
    order = _HELD_OUT if split != "test" else reversed(_HELD_OUT)
    test_split = next((name for name in order if name in splits), None)
    if "train" not in splits or test_split is not None or split == "all":
        chosen = test_split if split in _HELD_OUT else "train"
        if split == "all" and len(splits) == 1:
            (chosen,) = splits
        if chosen not in splits:
            raise ValueError(
                f"`split` {split!r} is not in {info.full_name}. "
                f"Received: a data set with {sorted(splits)}."
            )
        return chosen
    num_images = splits["train"].num_examples
    border = holdout.count(num_images, "train")
    return f"train[{border}:]" if split in _HELD_OUT else f"train[:{border}]"


def _all_features(tfds, info):
    if isinstance(info.features, tfds.features.FeaturesDict):
        return dict(info.features.items())
    return {}


def _wanted_features(tfds, info):
    features = _all_features(tfds, info)
    image = features.get("image")
    if image is None or image.np_dtype != np.uint8 or len(image.shape) != 3:
        raise ValueError(
            f"{info.full_name} must have a feature `image` of uint8 images. "
            f"Received: {info.features}."
        )
    wanted = {"image": image}
    label = features.get("label")
    if label is not None and label.shape == () and label.tf_dtype.is_integer:
        wanted["label"] = label
    objects = tfds_boxes.wanted(tfds, features)
    if objects is not None:
        wanted["objects"] = objects
    return wanted


def _class_names(features):
    # An integer that is not a ClassLabel has no names.
    return getattr(dict(features.items()).get("label"), "names", None)


def _box_class_names(features):
    objects = dict(features.items()).get("objects")
    if objects is None:
        return None
    return dict(objects.feature.items())["label"].names

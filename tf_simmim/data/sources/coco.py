"""`coco:JSON[,FOLDER]`: images with boxes around their objects.

Dimension key:
  n: images   N: boxes of an image, at most
"""

import hashlib
import os

import numpy as np
import tensorflow as tf

from tf_simmim.data.sources import coco_annotations
from tf_simmim.data.sources import decoding
from tf_simmim.data.sources import folder_tree
from tf_simmim.data.sources import holdout
from tf_simmim.data.sources import source
from tf_simmim.data.sources.formats import checks


class CocoSource(source.Source):
    """Images whose objects a JSON file lists, read at random.

    The order is that of the file; about one image in twenty is the test split,
    chosen class by class: see `holdout.by_class`. Of a data set with a file for
    each split, take "all" of each. Images without objects count, too.

    Args:
        path: str. "JSON" or "JSON,FOLDER": the file, as
            `coco_annotations.read_annotations` takes it, and the folder that
            the names of images in it begin at, by default that of the file.
            `~` is the home folder.
        split: "train", "test" or "all".
        channels: int, 1 (grey) or 3 (colour). Default: 3.
        max_pixels: int. Larger images are bad. Default: 50 million.
        rules: int. 2; or 1 for every twentieth image as the test split, of
            fewer than twenty the last, as runs have it that began so.

    Attributes:
        paths: list of bytes, the files in order.

    Raises:
        ValueError: the file is not such a file, an image is missing or lies
            outside of the folder, or there are no images of that split.
        tf.errors.InvalidArgumentError: in `read`, naming the file: an image
            is bad, or has not the size that the JSON file says.
    """

    reads_files = True

    def __init__(
        self,
        path,
        split="train",
        channels=None,
        max_pixels=decoding.MAX_PIXELS,
        rules=2,
    ):
        holdout.require_split(split)
        channels = 3 if channels is None else channels
        decoding.require_colour_or_grey(channels)
        decoding.require_max_pixels(max_pixels)
        file, _, folder = path.partition(",")
        file = os.path.expanduser(file)
        folder = os.path.expanduser(folder) or os.path.dirname(file) or "."
        found = coco_annotations.read_annotations(file)
        starts = np.cumsum(found.counts) - found.counts
        chosen = _chosen(found, starts, split, rules)
        if not chosen:
            raise ValueError(
                "A test split needs two images or more. Received: one image in "
                f"{file}."
            )
        self.paths = [
            _path_below(folder, found.file_names[i], file) for i in chosen
        ]
        super().__init__(
            name=f"coco:{path}",
            num_images=len(chosen),
            channels=channels,
            box_class_names=found.class_names,
        )
        self._max_pixels = max_pixels
        self._class_counts = np.bincount(
            np.concatenate([_classes_of(found, starts, i) for i in chosen]),
            minlength=len(found.class_names),
        )
        # N is that of all splits, so that they give tensors of one shape.
        self._max_boxes = max(int(found.counts.max()), 1)
        digest = hashlib.sha256("\0".join(found.file_names).encode())
        for array in (
            found.boxes,
            found.box_classes,
            found.counts,
            found.sizes,
        ):
            digest.update(array.tobytes())
        self._digest = digest.hexdigest()[:16]
        # A GPU's memory is for the model.
        with tf.device("CPU:0"):
            self._boxes = tf.constant(found.boxes)
            self._classes = tf.constant(found.box_classes)
            self._sizes = tf.constant(found.sizes[chosen])
            self._starts = tf.constant(starts[chosen])
            self._counts = tf.constant(found.counts[chosen])
            self._path_tensor = tf.constant(self.paths)
            # Messages must be valid UTF-8, which paths need not be.
            self._printable = tf.constant(
                [folder_tree.printable(path) for path in self.paths]
            )

    def digest(self):
        return f"{len(self)} images, {self._digest}"

    def describe(self, index):
        return folder_tree.printable(self.paths[int(index)])

    def class_counts(self):
        return self._class_counts

    def encoded_images(self, count):
        return decoding.some_files(self.paths, count)

    def read(self, index):
        contents = tf.io.read_file(tf.gather(self._path_tensor, index))
        where = [tf.gather(self._printable, index)]
        image = decoding.decode(
            contents, self.channels, where, self._max_pixels
        )
        size, wanted = tf.shape(image)[:2], tf.gather(self._sizes, index)
        image = checks.require(
            tf.reduce_all((wanted < 0) | (wanted == size)),
            [
                "An image must have the size that its annotation says, so that "
                "boxes fit. Received, height and width:",
                *(size[0], size[1], "and said:", wanted[0], wanted[1]),
            ],
            where,
            image,
        )
        start = tf.gather(self._starts, index)
        count = tf.gather(self._counts, index)
        missing = [0, self._max_boxes - count]
        boxes = tf.pad(
            self._boxes[start : start + count],
            [missing, [0, 0]],
            constant_values=-1.0,
        )
        classes = tf.pad(
            self._classes[start : start + count], [missing], constant_values=-1
        )
        return {
            "image": image,
            "boxes": tf.ensure_shape(boxes, [self._max_boxes, 4]),
            "box_classes": tf.ensure_shape(classes, [self._max_boxes]),
        }


def _chosen(found, starts, split, rules):
    """Returns the places of a split's images, increasing."""
    total = len(found.file_names)
    if split == "all" or rules == 1:
        return [i for i in range(total) if holdout.belongs(i, total, split)]
    classes = [set(_classes_of(found, starts, i)) for i in range(total)]
    names = [name.encode("utf-8", "surrogatepass") for name in found.file_names]
    is_held_out = holdout.by_class(names, classes)
    return [i for i in range(total) if is_held_out[i] == (split == "test")]


def _classes_of(found, starts, i):
    """Returns the classes of the boxes of an image, int64 [n]."""
    return found.box_classes[starts[i] : starts[i] + found.counts[i]]


def _path_below(folder, name, file):
    """Returns the path of an image, bytes, which lies below the folder."""
    path = os.path.join(folder, name)
    inside = os.path.normpath(name)
    if os.path.isabs(inside) or inside.split(os.sep)[0] == os.pardir:
        raise ValueError(
            f"Images must lie below {folder}. Received: {name!r} in {file}."
        )
    if "\0" in name or not os.path.isfile(path):
        raise ValueError(
            f"Every image that {file} lists must be there; give the folder as "
            f"coco:JSON,FOLDER. Received: {name!r}, which is not in {folder}."
        )
    return os.fsencode(path)

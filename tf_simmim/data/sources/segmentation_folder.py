"""`segmentation:PATH`: a folder of images and of masks that name classes.

Dimension key:
  H W: image, px
"""

import hashlib
import os
from pathlib import Path

import tensorflow as tf

from tf_simmim import atomic_file
from tf_simmim.data.sources import decoding
from tf_simmim.data.sources import folder_splits
from tf_simmim.data.sources import folder_tree
from tf_simmim.data.sources import holdout
from tf_simmim.data.sources import source
from tf_simmim.data.sources import split_names
from tf_simmim.data.sources.formats import png_labels


class SegmentationFolderSource(source.Source):
    """Images whose every pixel has a class, read at random.

        PATH/images/...       as `FolderSource` reads them, splits included
        PATH/masks/...        for images/a/b.jpg the PNG masks/a/b.png
        PATH/classes.txt      names of the classes 0, 1, 2, ..., one a line

    A mask has the size of its image. It is grey, its values the numbers of
    classes, or has a palette, whose indices they are; 255 = no class, ignored
    in training and in scores.

    Args:
        path: str. The folder; `~` is the home folder.
        split: "train", "validation", "test" or "all": of `PATH/images`, as
            `FolderSource` has it.
        channels: int, 1 (grey) or 3 (colour). Default: 3.
        max_pixels: int. Larger images are bad. Default: 50 million.
        rules: as of `FolderSource`.

    Attributes:
        paths, mask_paths: lists of bytes, the files in order.

    Raises:
        ValueError: a folder or classes.txt is missing, there are no or too
            many classes, an image has no mask, or as from `FolderSource`.
        tf.errors.InvalidArgumentError: in `read`, naming the file: an image
            is bad, or a mask; they differ in size; or a number in the mask is
            no class.
    """

    reads_files = True

    def __init__(
        self,
        path,
        split="train",
        channels=None,
        max_pixels=decoding.MAX_PIXELS,
        rules=folder_splits.RULES,
    ):
        holdout.require_split(split, others=("validation",))
        channels = 3 if channels is None else channels
        decoding.require_colour_or_grey(channels)
        decoding.require_max_pixels(max_pixels)
        root = folder_tree.require_folder(path, "segmentation:")
        images, masks = (os.path.join(root, n) for n in (b"images", b"masks"))
        for folder in (images, masks):
            if not os.path.isdir(folder):
                raise ValueError(
                    f"`segmentation:{path}` needs the folders images and "
                    "masks. Received: a path without "
                    f"{folder_tree.printable(folder)}.{_hint(root)}"
                )
        class_names = _read_class_names(root)
        found = folder_splits.split_files(images, split, rules=rules)
        folder_splits.log(found)
        files = found.files
        self.paths = [os.path.join(found.folder, file) for file in files]
        self.mask_paths = [
            os.path.join(
                masks, os.path.splitext(os.path.relpath(each, images))[0]
            )
            + b".png"
            for each in self.paths
        ]
        _require_masks(self.paths, self.mask_paths)
        super().__init__(
            name=f"segmentation:{path}",
            num_images=len(files),
            channels=channels,
            segmentation_class_names=class_names,
        )
        self._max_pixels = max_pixels
        # Messages must be valid UTF-8, which paths need not be.
        self._files = [
            (
                tf.constant(paths),
                tf.constant([folder_tree.printable(path) for path in paths]),
            )
            for paths in (self.paths, self.mask_paths)
        ]

    def digest(self):
        start = len(os.path.commonpath(self.paths))
        names = b"\0".join(path[start:] for path in self.paths)
        return f"{len(self)} images, {hashlib.sha256(names).hexdigest()[:16]}"

    def describe(self, index):
        return folder_tree.printable(self.paths[int(index)])

    def encoded_images(self, count):
        return decoding.some_files(self.paths, count)

    def read(self, index):
        (image, where), (mask, mask_where) = (
            (
                tf.io.read_file(tf.gather(paths, index)),
                [tf.gather(printable, index)],
            )
            for paths, printable in self._files
        )
        image = decoding.decode(image, self.channels, where, self._max_pixels)
        segmentation = decoding.decode_labels(
            mask,
            tf.shape(image)[:2],
            len(self.segmentation_class_names),
            mask_where,
            self._max_pixels,
        )
        return {"image": image, "segmentation": segmentation}


def _hint(root):
    """Says what to do where splits are outside, and images inside of them."""
    with os.scandir(root) as entries:
        names = sorted(entry.name for entry in entries if entry.is_dir())
    for name in split_names.find(names)[split_names.TRAIN]:
        folder = os.path.join(root, name)
        if os.path.isdir(os.path.join(folder, b"images")):
            return (
                f" For splits, name each: segmentation:"
                f"{folder_tree.printable(folder)}, and the held-out one as "
                "--validation_dataset=."
            )
    return ""


def _read_class_names(root):
    file = Path(os.fsdecode(root)) / "classes.txt"
    try:
        lines = atomic_file.read_bytes(file).decode("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(
            "A folder of images and masks needs a text file classes.txt, with "
            f"the name of a class in each line. Received: {file}: {error}."
        ) from error
    names = [line.strip() for line in lines if line.strip()]
    if not 2 <= len(names) <= png_labels.IGNORED:
        raise ValueError(
            f"{file} must name 2 to {png_labels.IGNORED} classes, one a line. "
            f"Received: {len(names)}."
        )
    return names


def _require_masks(paths, mask_paths):
    missing = [
        (path, mask)
        for path, mask in zip(paths, mask_paths, strict=True)
        if not os.path.isfile(mask)
    ]
    if missing:
        path, mask = map(folder_tree.printable, missing[0])
        raise ValueError(
            "Every image must have a mask of its name. Received: "
            f"{len(missing)} images without, the first of them {path}: there "
            f"is no {mask}."
        )

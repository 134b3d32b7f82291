"""`folder:PATH`: image files in a folder, labelled by their sub-folders.

Dimension key:
  H W: image, px   C: channels
"""

import os

import tensorflow as tf

from tf_simmim.data.sources import decoding
from tf_simmim.data.sources import holdout
from tf_simmim.data.sources import source

_SUFFIXES = (b".jpg", b".jpeg", b".png", b".bmp", b".gif")
_TEST_FOLDERS = (b"test", b"val", b"validation")


class FolderSource(source.Source):
    """Every image file below a local folder, read at random.

    Files are ordered by path, byte by byte. Hidden files and folders are left
    out, and links to folders are not followed.

    If there is a folder `train`, it is the train split, and `test`, `val` or
    `validation`, the first that exists, is the test split. Otherwise every
    twentieth file is the test split; of fewer than twenty, the last.

    The split "all" is every file, with nothing held out. If there is a folder
    `train`, it is what lies in that, never the test images beside it; if all
    files lie in test folders, it is the first of those.

    If every file of a split lies in a sub-folder, the first sub-folder's name
    is its label. A test split is numbered like the train split, and has no
    labels if one of its files is of no class that the train split has.

    Args:
        path: str. The folder; `~` is the home folder.
        split: "train", "test" or "all".
        channels: int, 1 (grey) or 3 (colour). Default: 3.

    Attributes:
        paths: list of bytes, the files in order.

    Raises:
        ValueError: the folder is missing or holds no images of that split, or
            `channels` is neither 1 nor 3.
        tf.errors.InvalidArgumentError: in `read`, naming the file: it is not
            an image.
    """

    reads_files = True

    def __init__(self, path, split="train", channels=None):
        holdout.require_split(split)
        channels = 3 if channels is None else channels
        decoding.require_colour_or_grey(channels)
        root = os.fsencode(os.path.expanduser(path))
        if not os.path.isdir(root):
            raise ValueError(
                f"`folder:{path}` needs a folder of images, and there is no "
                f"folder {os.path.abspath(os.fsdecode(root))}: give the path "
                "of one."
            )
        folder, files, class_names = _split_files(root, split)
        self.paths = [os.path.join(folder, file) for file in files]
        super().__init__(
            name=f"folder:{path}",
            num_images=len(files),
            channels=channels,
            class_names=class_names and [os.fsdecode(n) for n in class_names],
        )
        self._path_tensor = tf.constant(self.paths)
        self._labels = None
        if class_names:
            numbers = {name: i for i, name in enumerate(class_names)}
            labels = [numbers[_class_of(file)] for file in files]
            self._labels = tf.constant(labels, tf.int64)

    def describe(self, index):
        return os.fsdecode(self.paths[index])

    def read(self, index):
        path = tf.gather(self._path_tensor, index)
        image = decoding.decode(tf.io.read_file(path), self.channels, [path])
        element = {"image": image}
        if self._labels is not None:
            element["label"] = tf.gather(self._labels, index)
        return element


def _split_files(root, split):
    """Returns the folder of the split, its files, and all class names."""
    train, test = os.path.join(root, b"train"), _test_folder(root)
    if os.path.isdir(train) and test is not None:
        train_files = _image_files(train)
        class_names = _class_names(train_files)
        if split != "test":
            return train, train_files, class_names
        test_files = _image_files(test)
        known = _classes(test_files) <= set(class_names or ())
        return test, test_files, class_names if known else None

    folder = train if os.path.isdir(train) else root
    files = _image_files(folder)
    if split == "all" and folder == root:
        if _classes(files) <= set(_TEST_FOLDERS):
            folder, files = test, _image_files(test)
    chosen = [
        file
        for position, file in enumerate(files)
        if holdout.belongs(position, len(files), split)
    ]
    if not chosen:
        raise ValueError(
            "A test split needs two images or more. Received: one image in "
            f"{os.fsdecode(folder)}."
        )
    return folder, chosen, _class_names(files)


def _test_folder(root):
    for name in _TEST_FOLDERS:
        folder = os.path.join(root, name)
        if os.path.isdir(folder):
            return folder
    return None


def _image_files(folder):
    """Returns the image files below a folder, relative to it, in order."""
    files = []
    # Names are bytes throughout: one that is not UTF-8 must not hide the rest.
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(b".")]
        files += [
            os.path.relpath(os.path.join(parent, name), folder)
            for name in names
            if name.lower().endswith(_SUFFIXES) and not name.startswith(b".")
        ]
    if not files:
        suffixes = ", ".join(os.fsdecode(suffix) for suffix in _SUFFIXES)
        raise ValueError(
            f"No images in {os.path.abspath(os.fsdecode(folder))} or in the "
            f"folders below it: put files there that end in {suffixes}."
        )
    return sorted(files)


def _class_of(file):
    first, separator, _ = file.partition(os.sep.encode())
    return first if separator else None


def _classes(files):
    return {_class_of(file) for file in files}


def _class_names(files):
    """Returns the classes in order, or None if a file lies in none."""
    names = _classes(files)
    return None if None in names else sorted(names)

"""`folder:PATH`: image files in a folder, labelled by their sub-folders.

Dimension key:
  H W: image, px   C: channels
"""

import os

import tensorflow as tf

from tf_simmim.data.sources import data_manifest
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
        manifest: str, or None. A file that `experiments/check_data.py` wrote
            of the folder. Its bad files are left out of their splits; the
            good ones must have the content that they had then.

    Attributes:
        paths: list of bytes, the files in order.

    Raises:
        ValueError: the folder is missing or holds no images of that split,
            `channels` is neither 1 nor 3, or `manifest` is damaged, or is not
            of the files that are there.
        tf.errors.InvalidArgumentError: in `read`, naming the file: it is not
            an image, or is not the file that `manifest` lists.
    """

    def __init__(self, path, split="train", channels=None, manifest=None):
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
        folder, files, class_names = split_files(
            root, split, strict=manifest is None
        )
        self._fingerprints = None
        if manifest is not None:
            present = image_files(root, strict=False)
            good = data_manifest.good_files(manifest, root, present)
            # Its paths begin at the root, these at the folder of the split.
            start = b"" if folder == root else folder[len(root) :].lstrip(b"/")
            start = os.path.join(start, b"")
            files = [file for file in files if start + file in good]
            self._fingerprints = tf.constant(
                [good[start + file] for file in files], tf.int64
            )
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

    def read(self, index):
        path = tf.gather(self._path_tensor, index)
        contents = tf.io.read_file(path)
        if self._fingerprints is not None:
            contents = data_manifest.require_fingerprint(
                contents,
                tf.gather(self._fingerprints, index),
                # A message must be valid UTF-8.
                [tf.strings.unicode_transcode(path, "UTF-8", "UTF-8")],
            )
        image = decoding.decode(contents, self.channels, [path])
        element = {"image": image}
        if self._labels is not None:
            element["label"] = tf.gather(self._labels, index)
        return element


def split_files(root: bytes, split: str, strict=True) -> tuple:
    """Returns the folder of a split, its files, and all class names.

    Args:
        root: bytes, the folder.
        split: "train", "test" or "all".
        strict: as in `image_files`.

    Raises:
        ValueError: there are no images of that split.
    """
    train, test = os.path.join(root, b"train"), _test_folder(root)
    if os.path.isdir(train) and test is not None:
        train_files = image_files(train, strict)
        class_names = _class_names(train_files)
        if split != "test":
            return train, train_files, class_names
        test_files = image_files(test, strict)
        known = _classes(test_files) <= set(class_names or ())
        return test, test_files, class_names if known else None

    folder = train if os.path.isdir(train) else root
    files = image_files(folder, strict)
    if split == "all" and folder == root:
        if _classes(files) <= set(_TEST_FOLDERS):
            folder, files = test, image_files(test, strict)
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


def image_files(folder: bytes, strict=True) -> list[bytes]:
    """Returns the image files below a folder, relative to it, in order.

    Args:
        folder: bytes.
        strict: bool. False: names that lead to no file, such as a link to
            nowhere or a pipe, are passed over.

    Raises:
        ValueError: there are none.
    """
    files = []
    # Names are bytes throughout: one that is not UTF-8 must not hide the rest.
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(b".")]
        files += [
            os.path.relpath(os.path.join(parent, name), folder)
            for name in names
            if name.lower().endswith(_SUFFIXES) and not name.startswith(b".")
        ]
    if not strict:
        files = [f for f in files if os.path.isfile(os.path.join(folder, f))]
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

"""`folder:PATH`: image files in a folder, labelled by their sub-folders.

Dimension key:
  H W: image, px   C: channels
"""

import collections
import os

import tensorflow as tf
from absl import logging

from tf_simmim.data.sources import data_manifest
from tf_simmim.data.sources import decoding
from tf_simmim.data.sources import holdout
from tf_simmim.data.sources import source

_SUFFIXES = (b".jpg", b".jpeg", b".png", b".bmp", b".gif")
# Images too, but none that `decoding` reads: left out, and never silently.
_OTHER_SUFFIXES = (
    b".webp",
    b".avif",
    b".heic",
    b".heif",
    b".tif",
    b".tiff",
    b".jp2",
    b".jfif",
    b".jpe",
)
_TEST_FOLDERS = (b"test", b"val", b"validation")


class FolderSource(source.Source):
    """Every image file below a local folder, read at random.

    Files are ordered by path, byte by byte, whatever their names' encoding.
    A file counts if its name ends in .jpg, .jpeg, .png, .bmp or .gif, in
    upper or lower case; what it is, its first bytes say. Links to files are
    followed; one that leads nowhere is an error. Links to folders are not
    followed (except the folder itself and `train`, `test`, ...), which is
    logged, so a loop of links does no harm. What is hidden (its name starts
    with a dot, as ._A.JPG) is left out, and so are pipes and devices.

    If there is a folder `train`, it is the train split, and `test`, `val` or
    `validation`, the first that exists, is the test split. Otherwise every
    twentieth file is the test split; of fewer than twenty, the last.

    The split "all" is every file, with nothing held out. If there is a folder
    `train`, it is what lies in that, never the test images beside it; if all
    files lie in test folders, it is the first of those.

    If every file of a split lies in a sub-folder, the first sub-folder's name
    is its label. A test split is numbered like the train split, and has no
    labels if one of its files is of no class that the train split has. A
    sub-folder without images is no class, which is logged.

    Args:
        path: str. The folder; `~` is the home folder.
        split: "train", "test" or "all".
        channels: int, 1 (grey) or 3 (colour). Default: 3.
        max_pixels: int. Larger images are bad. Default: 50 million.
        manifest: str, or None. A file that `experiments/check_data.py` wrote
            of the folder. Its bad files are left out of their splits; the
            good ones must have the content that they had then.

    Attributes:
        paths: list of bytes, the files in order.

    Raises:
        ValueError: the folder is missing or holds no images of that split, a
            folder below it cannot be read, a link leads nowhere (without a
            manifest), `channels` is neither 1 nor 3, `max_pixels` is not
            positive, or `manifest` is damaged, or is not of the files that
            are there.
        tf.errors.InvalidArgumentError: in `read`: the file is bad, as
            `decoding.decode` says, or is not the one that `manifest` lists.
        tf.errors.OpError: in `read`, naming the file: it is gone, or may not
            be read.
    """

    reads_files = True

    def __init__(
        self,
        path,
        split="train",
        channels=None,
        max_pixels=decoding.MAX_PIXELS,
        manifest=None,
    ):
        holdout.require_split(split)
        channels = 3 if channels is None else channels
        decoding.require_colour_or_grey(channels)
        decoding.require_max_pixels(max_pixels)
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
        self._max_pixels = max_pixels
        self._path_tensor = tf.constant(self.paths)
        # Messages must be valid UTF-8, which paths need not be.
        self._printable = tf.constant([_printable(p) for p in self.paths])
        self._labels = None
        if class_names:
            numbers = {name: i for i, name in enumerate(class_names)}
            labels = [numbers[_class_of(file)] for file in files]
            self._labels = tf.constant(labels, tf.int64)

    def describe(self, index):
        return _printable(self.paths[int(index)])

    def read(self, index):
        contents = tf.io.read_file(tf.gather(self._path_tensor, index))
        where = [tf.gather(self._printable, index)]
        if self._fingerprints is not None:
            contents = data_manifest.require_fingerprint(
                contents, tf.gather(self._fingerprints, index), where
            )
        element = {
            "image": decoding.decode(
                contents, self.channels, where, self._max_pixels
            )
        }
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
            f"{_printable(folder)}."
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
        strict: bool. False: a link that leads nowhere is passed over, and
            nothing is logged.

    Raises:
        ValueError: there are none, a folder cannot be read, or a link leads
            nowhere.
    """
    # Names are bytes throughout: one that is not UTF-8 must not hide the rest.
    files, odd = [], collections.defaultdict(list)
    _walk(folder, b"", files, odd)
    broken = odd.pop("a link that leads nowhere", [])
    if broken and strict:
        raise ValueError(
            "Every link to an image must lead to a file. Received: "
            f"{len(broken)} that lead nowhere, the first of them "
            f"{_printable(min(broken))}. Remove them, or bring back what "
            "they point to."
        )
    if not files:
        suffixes = ", ".join(os.fsdecode(suffix) for suffix in _SUFFIXES)
        raise ValueError(
            f"No images in {os.path.abspath(_printable(folder))} or in the "
            f"folders below it: put files there that end in {suffixes}."
        )
    for what, paths in odd.items() if strict else ():
        logging.warning(
            "Left out %s, %d in all: %s",
            what,
            len(paths),
            _printable(min(paths)),
        )
    return sorted(files)


def _walk(folder, below, files, odd):
    """Adds what lies in one folder, and below it, to `files` and `odd`."""
    here = os.path.join(folder, below)
    try:
        with os.scandir(here) as entries:
            entries = [e for e in entries if not e.name.startswith(b".")]
    except OSError as error:
        raise ValueError(
            f"Every folder must be readable. Received: {_printable(here)}, "
            f"{error.strerror}. Allow it, or move the folder away."
        ) from error
    for entry in entries:
        name = os.path.join(below, entry.name)
        if entry.is_dir(follow_symlinks=False):
            count = len(files)
            _walk(folder, name, files, odd)
            if not below and len(files) == count:
                odd["a sub-folder without images"].append(entry.path)
        elif entry.name.lower().endswith(_SUFFIXES):
            if entry.is_file():
                files.append(name)
            elif entry.is_symlink() and not os.path.exists(entry.path):
                odd["a link that leads nowhere"].append(entry.path)
        elif entry.is_dir():
            odd["a link to a folder"].append(entry.path)
        elif entry.name.lower().endswith(_OTHER_SUFFIXES):
            odd[f"a file that is no {decoding.FORMATS}"].append(entry.path)


def _printable(path):
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _class_of(file):
    first, separator, _ = file.partition(os.sep.encode())
    return first if separator else None


def _classes(files):
    return {_class_of(file) for file in files}


def _class_names(files):
    """Returns the classes in order, or None if a file lies in none."""
    names = _classes(files)
    return None if None in names else sorted(names)

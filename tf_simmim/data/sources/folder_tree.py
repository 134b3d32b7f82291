"""Which files of a folder are images, of which split and of which class.

Names are bytes throughout: one that is not UTF-8 must not hide the rest.
"""

import collections
import os

from absl import logging

from tf_simmim.data.sources import decoding
from tf_simmim.data.sources import holdout

# What the names of image files end in, in upper or lower case: their format.
SUFFIXES = {
    b".jpg": "jpeg",
    b".jpeg": "jpeg",
    b".png": "png",
    b".bmp": "bmp",
    b".gif": "gif",
}
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
            f"{printable(folder)}."
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
    files, odd = [], collections.defaultdict(list)
    _walk(folder, b"", files, odd)
    broken = odd.pop("a link that leads nowhere", [])
    if broken and strict:
        raise ValueError(
            "Every link to an image must lead to a file. Received: "
            f"{len(broken)} that lead nowhere, the first of them "
            f"{printable(min(broken))}. Remove them, or bring back what "
            "they point to."
        )
    if not files:
        suffixes = ", ".join(os.fsdecode(suffix) for suffix in SUFFIXES)
        raise ValueError(
            f"No images in {os.path.abspath(printable(folder))} or in the "
            f"folders below it: put files there that end in {suffixes}."
        )
    for what, paths in odd.items() if strict else ():
        logging.warning(
            "Left out %s, %d in all: %s",
            what,
            len(paths),
            printable(min(paths)),
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
            f"Every folder must be readable. Received: {printable(here)}, "
            f"{error.strerror}. Allow it, or move the folder away."
        ) from error
    for entry in entries:
        name = os.path.join(below, entry.name)
        if entry.is_dir(follow_symlinks=False):
            count = len(files)
            _walk(folder, name, files, odd)
            if not below and len(files) == count:
                odd["a sub-folder without images"].append(entry.path)
        elif entry.is_dir():
            odd["a link to a folder"].append(entry.path)
        elif entry.name.lower().endswith(tuple(SUFFIXES)):
            if entry.is_file():
                files.append(name)
            elif entry.is_symlink() and not os.path.exists(entry.path):
                odd["a link that leads nowhere"].append(entry.path)
        elif entry.name.lower().endswith(_OTHER_SUFFIXES):
            odd[f"a file that is no {decoding.FORMATS}"].append(entry.path)


def printable(path: bytes) -> str:
    r"""Returns a path that a terminal prints as it is, on one line.

    Control characters and bytes that are not UTF-8 become `\x1b` and the
    like, as a shell's `$'...'` takes them.
    """
    text = path.decode("utf-8", "surrogateescape")
    if text.isprintable() and "\\" not in text:  # so nearly all are
        return text
    return "".join(map(_safe, text))


def _safe(character):
    if character == "\\":
        return "\\\\"
    if character.isprintable():
        return character
    raw = character.encode("utf-8", "surrogateescape")
    return "".join(f"\\x{byte:02x}" for byte in raw)


def class_of(file: bytes) -> bytes | None:
    """Returns the class of a file, relative to its split's folder, if any."""
    first, separator, _ = file.partition(os.sep.encode())
    return first if separator else None


def _classes(files):
    return {class_of(file) for file in files}


def _class_names(files):
    """Returns the classes in order, or None if a file lies in none."""
    names = _classes(files)
    return None if None in names else sorted(names)

"""What is in a folder of images, before any file of it is opened."""

import collections
import os

from tf_simmim.data.inspection import finding
from tf_simmim.data.sources import folder_tree

TRAIN = "train"
VALIDATION = "validation"


class FolderSurvey:
    """The image files of a folder, their splits, and what is odd about it.

    Args:
        path: str. The folder, as `FolderSource` takes it.
        splits: dict of str, side ("train" or "validation") -> split of
            `FolderSource` that this side gets.

    Attributes:
        root: bytes, the folder.
        files: list of bytes, every image file below it, relative to it.
        sides: dict of bytes, file -> "train" or "validation"; the others are
            in no split.
        findings: list of `Finding`, of what no file has to be opened for.

    Raises:
        ValueError: the folder is missing, or holds no images.
    """

    def __init__(self, path, splits):
        self.root = os.fsencode(os.path.expanduser(path))
        if not os.path.isdir(self.root):
            raise ValueError(
                f"There is no folder {path}: give the path of one."
            )
        start = len(os.path.join(self.root, b""))
        self.sides = {}
        has_classes = False
        for side, split in splits.items():
            try:
                below, files, classes = folder_tree.split_files(
                    self.root, split, strict=False
                )
            except ValueError:
                # A single image has no test split.
                if split != "test":
                    raise
                continue
            has_classes |= side == TRAIN and classes is not None
            for file in files:
                self.sides[os.path.join(below, file)[start:]] = side
        self.files = folder_tree.image_files(self.root, strict=False)
        self.findings = [
            finding.Finding("in_no_split", os.path.join(self.root, file))
            for file in self.files
            if file not in self.sides
        ]
        self.findings += _left_out(self.root, self.files)
        if has_classes:
            self.findings += _odd_classes(self.root, self.files)


def _odd_classes(root, files):
    has_train = os.path.isdir(os.path.join(root, b"train"))
    start = b"train/" if has_train else b""
    sizes = collections.Counter(
        file.removeprefix(start).partition(b"/")[0]
        for file in files
        if file.startswith(start)
    )
    with os.scandir(os.path.join(root, start)) as entries:
        names = sorted(
            entry.name
            for entry in entries
            if entry.is_dir(follow_symlinks=False)
            and not entry.name.startswith(b".")
        )
    for name in names:
        if sizes[name] < 2:
            reason = "class_of_one" if sizes[name] else "empty_class"
            yield finding.Finding(reason, os.path.join(root, start, name))


def _left_out(root, files):
    files = set(files)
    start = len(os.path.join(root, b""))
    for parent, folders, names in os.walk(root):
        shown = []
        for name in sorted(folders):
            path = os.path.join(parent, name)
            if name.startswith(b"."):
                yield finding.Finding("hidden", path)
            elif os.path.islink(path):
                yield finding.Finding("linked_folder", path)
            else:
                shown.append(name)
        folders[:] = shown
        for name in sorted(names):
            path = os.path.join(parent, name)
            if name.startswith(b"."):
                yield finding.Finding("hidden", path)
            elif path[start:] not in files:
                yield _why_no_image(name, path)


def _why_no_image(name, path):
    suffix = os.path.splitext(name)[1].lower()
    if suffix not in folder_tree.SUFFIXES:
        kind = folder_tree.printable(suffix) or "no ending"
        return finding.Finding("other_suffix", path, kind)
    if os.path.islink(path):
        target = folder_tree.printable(os.readlink(path))
        return finding.Finding("dangling_link", path, f"to {target}")
    return finding.Finding("no_file", path)

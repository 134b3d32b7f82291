"""What is in a folder of images, before any file of it is opened."""

import collections
import os

from tf_simmim.data.inspection import finding
from tf_simmim.data.sources import folder_splits
from tf_simmim.data.sources import folder_tree
from tf_simmim.data.sources import split_names

TRAIN = "train"
VALIDATION = "validation"

_LEFT_OUT = {
    folder_tree.HIDDEN: "hidden",
    folder_tree.LINKED: "linked_folder",
    folder_tree.DANGLING: "dangling_link",
    folder_tree.NO_FILE: "no_file",
    folder_tree.OTHER: "other_suffix",
}


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
        ValueError: the folder is missing, holds no images, or has no clear
            splits.
    """

    def __init__(self, path, splits):
        self.root = folder_tree.require_folder(path)
        self.sides, self.findings = {}, []
        found = {}
        for side, split in splits.items():
            try:
                found[side] = folder_splits.split_files(
                    self.root, split, strict=False
                )
            except ValueError:
                # A single image has no test split.
                if split == "train" or len(found) < 1 or not _is_one(found):
                    raise
                continue
            for file in found[side].files:
                self.sides[self._below_root(found[side].folder, file)] = side
        left_out = []
        self.files = folder_splits.all_files(
            self.root, note=lambda what, path: left_out.append((path, what))
        )
        unused = self._unused_splits(found)
        self.findings += [
            finding.Finding("in_no_split", os.path.join(self.root, file))
            for file in self.files
            if file not in self.sides
            and folder_tree.class_of(file) not in unused
        ]
        self.findings += [
            _why_left_out(path, _LEFT_OUT[what])
            for path, what in sorted(left_out)
            if what in _LEFT_OUT
        ]
        for file in found[TRAIN].loose if TRAIN in found else ():
            self._add("no_class", os.path.join(found[TRAIN].folder, file))
        if TRAIN in found and found[TRAIN].class_names is not None:
            linked = {p for p, what in left_out if what == folder_tree.LINKED}
            self._look_at_classes(found, linked)

    def _below_root(self, folder, file):
        start = len(os.path.join(self.root, b""))
        return os.path.join(folder, file)[start:]

    def _unused_splits(self, found):
        """Adds folders that look like splits and are none; returns these."""
        unused = {
            name
            for split in found.values()
            for name in split.unused
            if split_names.meaning(name) is not None
        }
        sizes = collections.Counter(map(folder_tree.class_of, self.files))
        for name in sorted(unused):
            path = os.path.join(self.root, name)
            self._add("unused_split", path, _number(sizes[name], "image"))
        return unused

    def _look_at_classes(self, found, passed_over):
        train = found[TRAIN]
        folder = train.folder
        start = self._below_root(folder, b"")
        whole = [
            file.removeprefix(start)
            for file in self.files
            if file.startswith(start)
        ]
        sizes = collections.Counter(map(folder_tree.class_of, whole))
        for below in split_names.below_classes(whole):
            self._add("split_in_class", os.path.join(folder, below))
        if len(train.class_names) == 1:
            self._add("only_class", os.path.join(folder, train.class_names[0]))
        for name in _folders(folder):
            path = os.path.join(folder, name)
            if sizes[name] < 2 and path not in passed_over:
                reason = "class_of_one" if sizes[name] else "empty_class"
                self._add(reason, path)
        held_out = found.get(VALIDATION)
        if held_out is None:
            return
        for name in held_out.strangers:
            self._add("not_in_train", os.path.join(held_out.folder, name))
        there = folder_tree.classes(held_out.files)
        if None in there:
            loose = [folder_tree.class_of(f) for f in held_out.files]
            count = _number(loose.count(None), "image")
            self._add("no_labels_in_validation", held_out.folder, count)
        if held_out.class_names is not None:
            for name in train.class_names:
                if name not in there:
                    path = os.path.join(folder, name)
                    self._add("not_in_validation", path)

    def _add(self, reason, path, detail=""):
        self.findings.append(finding.Finding(reason, path, detail))


def _is_one(found):
    """Whether all that is there so far is one image."""
    return sum(len(split.files) for split in found.values()) == 1


def _folders(folder):
    with os.scandir(folder) as entries:
        return sorted(
            entry.name
            for entry in entries
            if os.path.isdir(entry.path) and not entry.name.startswith(b".")
        )


def _why_left_out(path, reason):
    detail = ""
    if reason == "other_suffix":
        suffix = os.path.splitext(path)[1].lower()
        detail = folder_tree.printable(suffix) or "no ending"
    elif reason == "dangling_link":
        target = folder_tree.printable(os.readlink(path))
        detail = f"to {target}"
    return finding.Finding(reason, path, detail)


def _number(count, noun):
    return f"{count:,} {noun}{'' if count == 1 else 's'}"

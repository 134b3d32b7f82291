"""Which image files of a folder belong to a split, and to which class."""

import collections
import dataclasses
import os

from absl import logging

from tf_simmim.data.sources import folder_rules_1
from tf_simmim.data.sources import folder_tree
from tf_simmim.data.sources import holdout
from tf_simmim.data.sources import split_names
from tf_simmim.data.sources.folder_split import FolderSplit

# Rules by which images become splits. Of those in 1, runs know that began
# before there were numbers.
RULES = 2
_MOST_CLASSES = 10  # that a line counts one by one
_MOST_NAMED = 5


def split_files(
    root: bytes, split: str, strict=True, rules=RULES
) -> FolderSplit:
    """Finds the files of a split.

    Args:
        root: bytes, the folder.
        split: "train", "validation", "test" or "all".
        strict: as in `folder_tree.image_files`.
        rules: 2, or 1: see `folder_rules_1`.

    Raises:
        ValueError: there are no images of that split, or it is not clear
            which folder it is.
    """
    if rules == 1:
        return FolderSplit(*folder_rules_1.split_files(root, split, strict))
    names, loose = _look(root, strict)
    found = split_names.find(names)
    train = found[split_names.TRAIN]
    if len(train) > 1:
        raise ValueError(
            "One folder must hold the training images. Received: "
            f"{_list(root, train)}, which are named so both; put all into one, "
            "or name one of them in the place of the whole folder."
        )
    unclear = [] if train else split_names.unclear(names)
    if unclear:
        raise ValueError(
            "It must be clear which folders are splits: rename them train and "
            f"val, or give one of them, such as {_list(root, unclear[:1])}, in "
            f"the place of the whole folder. Received: {_list(root, unclear)}, "
            "which look like splits by a part of their names."
        )
    order = [split_names.VALIDATION, split_names.TEST]
    if split == "test":
        order.reverse()
    held_out = [name for kind in order for name in found[kind]]
    if train:
        if not held_out:
            _require_no_class(root, train[0], names)
        found = _beside_train(root, split, strict, train[0], held_out, names)
        if loose and split in ("train", "all"):
            found.warnings.append(
                f"Not used, since they are not in a folder of a split: {loose} "
                f"images in {folder_tree.printable(root)} itself."
            )
        return found
    if held_out and len(held_out) == len(names):
        return _without_train(root, split, strict, held_out, loose)
    return _divided(root, split, strict, held_out)


def all_files(root: bytes, rules=RULES, note=None) -> list[bytes]:
    """Returns the image files of all splits and of what is beside them.

    Args:
        root: bytes, the folder.
        rules: as of `split_files`.
        note: as of `folder_tree.image_files`.

    Raises:
        ValueError: a folder cannot be read.
    """
    if rules == 1:
        return folder_tree.image_files(root, False, follow=False, note=note)
    names, _ = _look(root)
    found = split_names.find(names)
    if not found[split_names.TRAIN] and any(
        split_names.meaning(name) is None for name in names
    ):
        names = []
    return folder_tree.files_of_folders(root, names, note)


def log(found: FolderSplit) -> None:
    """Logs what a person should know of a split."""
    for sentence in found.warnings:
        logging.warning("%s", sentence)
    for sentence in found.facts:
        logging.info("%s", sentence)


def _look(root, strict=False):
    """Returns the folders in a folder, links included, and a count of images.

    With `strict`, links to folders that are gone are refused.
    """
    folders, loose, broken = [], 0, []
    try:
        with os.scandir(root) as entries:
            for entry in entries:
                if entry.name.startswith(b".") or _leads_back(entry, root):
                    continue
                if os.path.isdir(entry.path):
                    folders.append(entry.name)
                elif entry.name.lower().endswith(tuple(folder_tree.SUFFIXES)):
                    loose += 1
                elif strict and folder_tree.is_broken(entry):
                    broken.append(entry.path)
    except OSError as error:
        raise ValueError(
            "Every folder must be readable. Received: "
            f"{folder_tree.printable(root)}, {error.strerror}."
        ) from error
    folder_tree.require_no_broken(broken)
    return sorted(folders), loose


def _leads_back(entry, root):
    """Whether it is a link to the folder that it lies in, or to one above."""
    if not entry.is_symlink():
        return False
    target = os.path.join(os.path.realpath(entry.path), b"")
    return os.path.join(os.path.realpath(root), b"").startswith(target)


def _require_no_class(root, train, names):
    """Refuses a flat folder `train` that may be a class among others."""
    folder = os.path.join(root, train)
    others = [
        name
        for name in names
        if name != train and folder_tree.has_images(os.path.join(root, name))
    ]
    if others and folder_tree.classes(
        folder_tree.image_files(folder, strict=False)
    ) == {None}:
        raise ValueError(
            f"It must be clear what {folder_tree.printable(folder)} is. If it "
            "is a class, rename it; if it holds all training images, give it "
            "in the place of the whole folder. Received: images in it and in "
            f"{_list(root, others)} beside it, which is no split by its name."
        )


def _beside_train(root, split, strict, train, held_out, names):
    """Finds a split where there is a folder of training images."""
    folder = os.path.join(root, train)
    files = folder_tree.image_files(folder, strict)
    class_names = folder_tree.class_names(files)
    others = [name for name in names if name != train]
    if split in ("train", "all"):
        found = FolderSplit(
            folder,
            files,
            class_names,
            others if split == "all" else (),
            warnings=_warnings_of_classes(folder, files, class_names),
            loose=_loose(files),
        )
        if split == "train" and not held_out:
            found = _part(found, split)
        strange = [n for n in others if split_names.meaning(n) is None]
        if strange:
            found.warnings.append(
                f"{folder_tree.printable(folder)} holds the training images by "
                f"its name, so these are not used: {_list(root, strange)}."
            )
        if split == "all" and len(strange) < len(others):
            rest = [name for name in others if name not in strange]
            found.facts.append(f"Not trained on: {_list(root, rest)}.")
        return found
    if not held_out:
        whole = FolderSplit(
            folder, files, class_names, others, loose=_loose(files)
        )
        return _part(whole, split)
    test = os.path.join(root, held_out[0])
    if os.path.samefile(test, folder):
        raise ValueError(
            "The held-out images must be others than the training images. "
            f"Received: {_list(root, [train, held_out[0]])}, which are one "
            "folder."
        )
    unused = [name for name in others if name != held_out[0]]
    rest = [name for name in unused if name in held_out]
    advice = _way_to_others(root, held_out)
    test_files = folder_tree.image_files(test, strict, advice=advice)
    facts, warnings = [], []
    if rest:
        facts.append(
            f"Held-out images are those in {folder_tree.printable(test)}; not "
            f"used: {_list(root, rest)}."
        )
    strangers = []
    if class_names is not None:
        known = set(class_names)
        strangers = folder_tree.classes(test_files) - known
        if None in strangers:
            warnings.append(
                f"{folder_tree.printable(test)} has no labels: images in it "
                "lie in no folder of a class, "
                f"{_first_loose(test, test_files)}."
            )
        elif strangers:
            warnings.append(
                f"{folder_tree.printable(test)} has no labels: there are no "
                "training images of these classes: "
                f"{_list(test, sorted(strangers))}."
            )
        if strangers:
            class_names = None
    strangers = sorted(strangers - {None}) if strangers else []
    return FolderSplit(
        test,
        test_files,
        class_names,
        unused=unused,
        strangers=strangers,
        warnings=warnings,
        facts=facts,
        loose=_loose(test_files),
    )


def _way_to_others(root, held_out):
    """Says how to hold out other folders than the first one."""
    if len(held_out) < 2:
        return ""
    first, other = (split_names.meaning(held_out[i]) for i in (0, -1))
    asked = other != first and f"pass --validation_split={other}, or "
    return (
        f"Not used: {_list(root, held_out[1:])}. To hold such images out, "
        f"{asked or ''}remove {_list(root, held_out[:1])}."
    )


def _without_train(root, split, strict, held_out, loose):
    """Finds a split where all folders look like splits to hold out."""
    if split == "train" or (loose and split != "all"):
        what = f"{loose} images, and " if loose else ""
        raise ValueError(
            "Which images to train on must be clear: put them into a folder "
            "train beside the others, or name their folder in the place of "
            f"the whole one. Received: {folder_tree.printable(root)}, which "
            f"holds {what}{_list(root, held_out)}, by the name to be held out, "
            "and no folder train."
        )
    folder = root if loose else os.path.join(root, held_out[0])
    files = folder_tree.image_files(folder, strict)
    unused = [] if loose else held_out[1:]
    facts = []
    if unused:
        facts.append(
            f"Images are those in {folder_tree.printable(folder)}; not used: "
            f"{_list(root, unused)}."
        )
    class_names = folder_tree.class_names(files)
    return FolderSplit(
        folder,
        files,
        class_names,
        unused,
        facts=facts,
        loose=_loose(files),
    )


def _divided(root, split, strict, held_out):
    """Finds a split of a folder without folders for them."""
    files = folder_tree.image_files(root, strict)
    class_names = folder_tree.class_names(files)
    warnings = []
    if split in ("train", "all"):
        warnings = _warnings_of_classes(root, files, class_names)
        if held_out:
            warnings.append(
                f"{_list(root, held_out)}: no split to hold out, in spite of "
                "the name, since there is no folder train beside; its images "
                "are images like the others."
            )
    found = FolderSplit(
        root, files, class_names, warnings=warnings, loose=_loose(files)
    )
    return found if split == "all" else _part(found, split)


def _part(whole, split):
    """Divides files into the training images and the held-out ones."""
    files, class_names = whole.files, whole.class_names
    total = len(files)
    if class_names is None:
        is_held_out = [holdout.belongs(i, total, "test") for i in range(total)]
    else:
        classes = [[folder_tree.class_of(file)] for file in files]
        is_held_out = holdout.by_class(files, classes)
    wanted = split != "train"
    chosen = [
        file
        for file, is_out in zip(files, is_held_out, strict=True)
        if is_out == wanted
    ]
    if not chosen:
        raise ValueError(
            "A test split needs two images or more. Received: one image in "
            f"{folder_tree.printable(whole.folder)}."
        )
    facts = []
    if split == "train" and class_names is not None:
        facts.append(_how_many(whole, chosen))
    return dataclasses.replace(whole, files=chosen, facts=facts)


def _how_many(whole, chosen):
    """Says in one line how many images of each class are held out."""
    totals, kept = (
        collections.Counter(map(folder_tree.class_of, files))
        for files in (whole.files, chosen)
    )
    held_out = {name: totals[name] - kept[name] for name in whole.class_names}
    text = (
        f"{min(held_out.values()):,} to {max(held_out.values()):,} of each of "
        f"{len(held_out):,} classes"
    )
    if len(held_out) <= _MOST_CLASSES:
        text = ", ".join(
            f"{folder_tree.printable(name)} {number:,} of {totals[name]:,}"
            for name, number in held_out.items()
        )
    return (
        f"Held out of {folder_tree.printable(whole.folder)}, by class: "
        f"{sum(held_out.values()):,} of {len(whole.files):,} images ({text})."
    )


def _warnings_of_classes(folder, files, class_names):
    loose = _loose(files)
    if loose:
        return [
            f"{folder_tree.printable(folder)} has no labels, in spite of its "
            "sub-folders: images in it lie in no folder of a class, "
            f"{_first_loose(folder, files)}. Move them for labels."
        ]
    below = split_names.below_classes(files) if class_names else []
    if not below:
        return []
    return [
        "Folders inside of a class are no splits, whatever their names are: "
        f"{_list(folder, below)}. All images in a class are trained on. For "
        "splits, begin with them: train/CLASS, val/CLASS."
    ]


def _loose(files):
    """Returns the files in no folder, if they are less than half of all."""
    loose = [file for file in files if folder_tree.class_of(file) is None]
    return loose if 2 * len(loose) < len(files) else []


def _first_loose(folder, files):
    loose = [file for file in files if folder_tree.class_of(file) is None]
    return f"{len(loose):,} in all: {_list(folder, loose[:1])}"


def _list(folder, names):
    shown = ", ".join(
        folder_tree.printable(os.path.join(folder, name))
        for name in names[:_MOST_NAMED]
    )
    return f"{shown}, ..." if len(names) > _MOST_NAMED else shown

"""Which folders of a folder of images are its splits, by their names.

Names are compared without regard to case, to what is no letter, to a year
(train2017) and to words such as "set" and "images" (test_set). Names are bytes
throughout, as in `folder_tree`.
"""

import os
import re

TRAIN = "train"
VALIDATION = "validation"
TEST = "test"

# Of several that mean the same, the first that exists counts.
_NAMES = {
    TRAIN: ("train", "training", "trainval", "trn"),
    VALIDATION: (
        *("val", "valid", "validation", "validate", "validating"),
        *("dev", "devel", "development", "eval", "evaluation"),
        *("holdout", "heldout"),
    ),
    TEST: ("test", "testing", "tst"),
}
_MEANINGS = {
    name.encode(): (meaning, place)
    for meaning, names in _NAMES.items()
    for place, name in enumerate(names)
}
_NO_LETTERS = re.compile(rb"[^a-z0-9]+")
_YEAR = re.compile(rb"(19|20)\d\d$")
_TOKENS = re.compile(rb"[A-Z]*[a-z\x80-\xff]+|[A-Z]+")
_KINDS = re.compile(rb"(sets?|splits?|data|images?|imgs?|folder)$")


def meaning(name: bytes) -> str | None:
    """Returns "train", "validation" or "test", or None for no split's name."""
    return _found(name)[0]


def find(names) -> dict:
    """Sorts the names of folders by the split that they mean.

    Args:
        names: iterable of bytes.

    Returns:
        dict of "train", "validation" and "test" -> list of bytes, the usual
        names first: "val" before "dev".
    """
    found = {TRAIN: [], VALIDATION: [], TEST: []}
    for name in names:
        if meaning(name) is not None:
            found[meaning(name)].append(name)
    for of_split in found.values():
        of_split.sort(key=lambda name: (_found(name)[1], name))
    return found


def unclear(names) -> list[bytes]:
    """Returns folders that look like splits by one word of their names.

    As `seg_train` and `seg_test`, or `trainA` and `testA`, where no folder is
    the train split by its whole name. Classes such as `training_wheels` and
    `test_tube` among others are none: at least half of all folders must have
    such a word, and both a word for training and one for holding out occur.

    Args:
        names: list of bytes, all folders.

    Returns:
        list of bytes, those with a word for training first; or an empty one.
    """
    train, held_out = [], []
    for name in names:
        words = {meaning(w) for w in _TOKENS.findall(name) if len(w) > 1}
        if TRAIN in words:
            train.append(name)
        elif words - {None}:
            held_out.append(name)
    found = train + held_out
    is_one = train and held_out and 2 * len(found) >= len(names)
    return found if is_one else []


def below_classes(files) -> list[bytes]:
    """Returns folders inside of class folders that look like splits, in order.

    As in PATH/cat/train/a.jpg: there they are no splits, but one class.

    Args:
        files: list of bytes, relative to the folder of the classes.
    """
    found = set()
    for file in files:
        parts = file.split(os.sep.encode(), 2)
        if len(parts) == 3 and meaning(parts[1]) is not None:
            found.add(os.path.join(*parts[:2]))
    return sorted(found)


def _found(name):
    word = _NO_LETTERS.sub(b"", name.lower())
    for pattern in (None, _YEAR, _KINDS, _YEAR):
        word = pattern.sub(b"", word) if pattern else word
        if word in _MEANINGS:
            return _MEANINGS[word]
    return None, 0

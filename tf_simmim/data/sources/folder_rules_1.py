"""Splits of a folder by the rules of runs that began before rules had numbers.

Such a run goes on with the images that it began with. New ones go by
`folder_splits`.
"""

import os

from tf_simmim.data.sources import folder_tree
from tf_simmim.data.sources import holdout

_TEST_FOLDERS = (b"test", b"val", b"validation")


def split_files(root: bytes, split: str, strict=True) -> tuple:
    """Returns the folder of a split, its files, and all class names.

    Splits are the folders `train`, and `test`, `val` or `validation`, the
    first that exists, in lower case. Of others every twentieth file is held
    out. Links to folders are not followed.

    Args:
        root: bytes, the folder.
        split: "train", "validation", "test" or "all".
        strict: as in `folder_tree.image_files`.

    Raises:
        ValueError: there are no images of that split.
    """
    split = "test" if split == "validation" else split
    train, test = os.path.join(root, b"train"), _test_folder(root)
    if os.path.isdir(train) and test is not None:
        train_files = _image_files(train, strict)
        class_names = folder_tree.class_names(train_files)
        if split != "test":
            return train, train_files, class_names
        test_files = _image_files(test, strict)
        known = folder_tree.classes(test_files) <= set(class_names or ())
        return test, test_files, class_names if known else None

    folder = train if os.path.isdir(train) else root
    files = _image_files(folder, strict)
    if split == "all" and folder == root:
        if folder_tree.classes(files) <= set(_TEST_FOLDERS):
            folder, files = test, _image_files(test, strict)
    chosen = [
        file
        for position, file in enumerate(files)
        if holdout.belongs(position, len(files), split)
    ]
    if not chosen:
        raise ValueError(
            "A test split needs two images or more. Received: one image in "
            f"{folder_tree.printable(folder)}."
        )
    return folder, chosen, folder_tree.class_names(files)


def _test_folder(root):
    for name in _TEST_FOLDERS:
        folder = os.path.join(root, name)
        if os.path.isdir(folder):
            return folder
    return None


def _image_files(folder, strict):
    return folder_tree.image_files(folder, strict, follow=False)

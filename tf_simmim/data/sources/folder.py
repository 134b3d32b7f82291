"""`folder:PATH`: image files in a folder, labelled by their sub-folders.

Dimension key:
  H W: image, px   C: channels
"""

import hashlib
import os

import numpy as np
import tensorflow as tf

from tf_simmim.data.sources import data_manifest
from tf_simmim.data.sources import decoding
from tf_simmim.data.sources import folder_splits
from tf_simmim.data.sources import folder_tree
from tf_simmim.data.sources import holdout
from tf_simmim.data.sources import source


class FolderSource(source.Source):
    """Every image file below a local folder, read at random.

    Files are ordered by path, byte by byte, whatever their names' encoding.
    A file counts if its name ends in .jpg, .jpeg, .png, .bmp or .gif, in
    upper or lower case; what it is, its first bytes say. Links are followed,
    each folder once, so that a loop of links does no harm; a link to an
    image or a folder that leads nowhere is an error. What is hidden (its
    name starts with a dot, as ._A.JPG) is left out, and so are pipes and
    devices.

    If there is a folder `train`, it is the train split; `val` and `test` are
    the splits of these names, and each stands for the other where that is
    missing. Their usual other names count too, in any case: see `split_names`.
    Otherwise images are held out as `holdout` says: of files in class folders
    about one in twenty, class by class; of others every twentieth.

    The split "all" is every file, with nothing held out. If there is a folder
    `train`, it is what lies in that, never the held-out images beside it; if
    all files lie in folders to hold out, it is the first of those.

    If every file of a split lies in a sub-folder, the first sub-folder's name
    is its label. A held-out split is numbered like the train split, and has no
    labels if one of its files is of no class that the train split has. A
    sub-folder without images is no class. What might not be meant so is
    logged.

    Args:
        path: str. The folder; `~` is the home folder.
        split: "train", "validation", "test" or "all".
        channels: int, 1 (grey) or 3 (colour). Default: 3.
        max_pixels: int. Larger images are bad. Default: 50 million.
        manifest: str, or None. A file that `experiments/check_data.py` wrote
            of the folder. Its bad files are left out of their splits; the
            good ones must have the content that they had then.
        rules: int. 2; or 1 for splits as `folder_rules_1` makes them, of runs
            that began so.

    Attributes:
        paths: list of bytes, the files in order.
        folder: str. Where they lie, printable.
        strangers: list of str. Folders of classes that a held-out split has,
            and the train split has not.
        loose: list of str. Files in no folder of a class, where most lie in
            one: because of them there are no labels.

    Raises:
        ValueError: the folder is missing or holds no images of that split, it
            is not clear which they are, a folder below it cannot be read, a
            link leads nowhere (without a manifest), `channels` is neither 1 nor
            3, `max_pixels` is not positive, or `manifest` is damaged, or is not
            of the files that are there.
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
        rules=folder_splits.RULES,
    ):
        holdout.require_split(split, others=("validation",))
        channels = 3 if channels is None else channels
        decoding.require_colour_or_grey(channels)
        decoding.require_max_pixels(max_pixels)
        root = folder_tree.require_folder(path, "folder:")
        found = folder_splits.split_files(
            root, split, strict=manifest is None, rules=rules
        )
        folder, files, class_names = (
            found.folder,
            found.files,
            found.class_names,
        )
        folder_splits.log(found)
        self._fingerprints = None
        if manifest is not None:
            present = folder_splits.all_files(root, rules)
            good = data_manifest.good_files(manifest, root, present)
            # Its paths begin at the root, these at the folder of the split.
            start = b"" if folder == root else folder[len(root) :].lstrip(b"/")
            start = os.path.join(start, b"")
            files = [file for file in files if start + file in good]
            if not files:
                raise ValueError(
                    f"The split {split!r} of folder:{path} must have at least "
                    f"one image that is good by the manifest {manifest}: mend "
                    "some, or hold none out. Received: 0 good images."
                )
            self._fingerprints = tf.constant(
                [good[start + file] for file in files], tf.int64
            )
        self.paths = [os.path.join(folder, file) for file in files]
        self.folder = folder_tree.printable(folder)
        self.strangers = [
            folder_tree.printable(os.path.join(folder, name))
            for name in found.strangers
        ]
        self.loose = [
            folder_tree.printable(os.path.join(folder, file))
            for file in found.loose
        ]
        super().__init__(
            name=f"folder:{path}",
            num_images=len(files),
            channels=channels,
            class_names=class_names and [os.fsdecode(n) for n in class_names],
        )
        self._max_pixels = max_pixels
        self._path_tensor = tf.constant(self.paths)
        # Messages must be valid UTF-8, which paths need not be.
        self._printable = tf.constant(
            [folder_tree.printable(p) for p in self.paths]
        )
        self._labels = None
        if class_names:
            numbers = {name: i for i, name in enumerate(class_names)}
            labels = [numbers[folder_tree.class_of(file)] for file in files]
            self._labels = tf.constant(labels, tf.int64)

    def digest(self):
        start = len(os.path.commonpath(self.paths))
        names = b"\0".join(path[start:] for path in self.paths)
        digest = hashlib.sha256(names)
        if self._fingerprints is not None:
            digest.update(self._fingerprints.numpy().tobytes())
        return f"{len(self)} images, {digest.hexdigest()[:16]}"

    def describe(self, index):
        return folder_tree.printable(self.paths[int(index)])

    def labels(self):
        if self._labels is None:
            if self.loose:
                raise ValueError(
                    "The images must have labels, so each must lie in the "
                    f"folder of a class. Received: {self.name}, with "
                    f"{len(self.loose):,} in none, the first of them "
                    f"{self.loose[0]}. Move such images into one, or away."
                )
            return super().labels()
        return self._labels.numpy()

    def class_counts(self):
        if self._labels is None:
            return None
        return np.bincount(self.labels(), minlength=len(self.class_names))

    def encoded_images(self, count):
        return decoding.some_files(self.paths, count)

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

"""What can be wrong or odd about a file, and a finding of it."""

import dataclasses

BAD = "bad"
SHARED = "shared"
ODD = "odd"
LEFT_OUT = "left out"

# Code: (how grave, what a person reads). The order is that of a report.
REASONS = {
    "not_an_image": (BAD, "not a JPEG, PNG, GIF or BMP image"),
    "empty": (BAD, "empty file"),
    "truncated": (BAD, "cut off: the image does not end"),
    "damaged": (BAD, "damaged, or of a kind that cannot be decoded"),
    "too_large": (BAD, "too many pixels"),
    "dangling_link": (
        BAD,
        "link to what is not there: training does not start",
    ),
    "unreadable": (BAD, "cannot be read"),
    "damaged_shard": (BAD, "damaged record: what follows it is unread"),
    "no_image_feature": (BAD, "record without the feature image/encoded"),
    "in_train_and_validation": (
        SHARED,
        "the same image in train and in validation",
    ),
    "duplicate": (ODD, "the same file twice in a split"),
    "wrong_suffix": (ODD, "name of another format"),
    "cmyk": (ODD, "CMYK, turned into RGB"),
    "16_bit_part": (
        ODD,
        "16 bits a channel, of which a part is used: nearly black in 8 bits",
    ),
    "16_bit": (ODD, "16 bits a channel, cut to 8"),
    "alpha": (ODD, "transparency, laid on white"),
    "animated": (ODD, "animated: the first frame counts"),
    "turned": (ODD, "turned by its EXIF orientation"),
    "trailing_bytes": (ODD, "bytes after the end of the image"),
    "tiny": (ODD, "a side of less than 32 px"),
    "long": (ODD, "one side over ten times the other"),
    "name_not_utf8": (ODD, "name that is not UTF-8"),
    "unused_split": (
        ODD,
        "folder named like a split, neither train nor validation",
    ),
    "in_no_split": (ODD, "in no split: neither train nor validation"),
    "split_in_class": (
        ODD,
        "folder named like a split inside of a class, of which it is a part",
    ),
    "only_class": (ODD, "the only class: nothing to tell it from"),
    "not_in_train": (
        ODD,
        "class without training images: validation has no labels",
    ),
    "no_class": (
        ODD,
        "image in no class folder, unlike most: training has no labels",
    ),
    "no_labels_in_validation": (
        ODD,
        "images in no class folder, unlike in train: validation has no labels",
    ),
    "not_in_validation": (ODD, "class without an image for validation"),
    "empty_class": (ODD, "class folder without an image"),
    "class_of_one": (ODD, "class with a single image"),
    "hidden": (LEFT_OUT, "hidden: the name begins with a dot"),
    "no_file": (LEFT_OUT, "a pipe or a device, not a file"),
    "linked_folder": (
        LEFT_OUT,
        "link to a folder that is read already, or that this one lies in",
    ),
    "other_suffix": (LEFT_OUT, "name without the ending of an image"),
}


@dataclasses.dataclass(frozen=True)
class Finding:
    """One reason to look at one file or folder.

    Attributes:
        reason: str, a key of `REASONS`.
        path: bytes, as the user would type it.
        detail: str, what was found in particular, or empty.
    """

    reason: str
    path: bytes
    detail: str = ""

    @property
    def grade(self) -> str:
        """`BAD`, `SHARED`, `ODD` or `LEFT_OUT`."""
        return REASONS[self.reason][0]

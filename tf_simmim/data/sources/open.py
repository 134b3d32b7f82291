"""Opens a source from the one string that names it."""

import difflib
import os

from tf_simmim.data.sources import coco
from tf_simmim.data.sources import decoding
from tf_simmim.data.sources import digit_scenes
from tf_simmim.data.sources import digits
from tf_simmim.data.sources import folder
from tf_simmim.data.sources import folder_splits
from tf_simmim.data.sources import photos
from tf_simmim.data.sources import segmentation_folder
from tf_simmim.data.sources import source
from tf_simmim.data.sources import tfds
from tf_simmim.data.sources import tfrecord

_BUILTIN = {
    "builtin:digit_scenes": digit_scenes.DigitScenesSource,
    "builtin:digits": digits.DigitsSource,
    "builtin:photos": photos.PhotosSource,
}
_SCHEMES = {
    "coco": coco.CocoSource,
    "folder": folder.FolderSource,
    "segmentation": segmentation_folder.SegmentationFolderSource,
    "tfds": tfds.TFDSSource,
    "tfrecord": tfrecord.TFRecordSource,
}
# Sources in which "validation" and "test" may be different images.
_WITH_VALIDATION = ("folder", "segmentation", "tfds")
_WITH_RULES = ("coco", "folder", "segmentation")
FORMS = (
    *_BUILTIN,
    *("coco:JSON[,FOLDER]", "segmentation:PATH"),
    *("folder:PATH", "tfds:NAME", "tfrecord:GLOB"),
)


def open_source(
    spec: str,
    split="train",
    data_dir=None,
    channels=None,
    max_pixels=decoding.MAX_PIXELS,
    manifest=None,
    segmentation_class_names=None,
    split_rules=folder_splits.RULES,
) -> source.Source:
    """Opens a source of images.

    Args:
        spec: str. `builtin:digits`, `builtin:photos`, `builtin:digit_scenes`,
            `folder:PATH`, `segmentation:PATH`, `coco:JSON[,FOLDER]`,
            `tfds:NAME` or `tfrecord:GLOB`.
        split: "train", "validation", "test", or "all" to hold nothing out.
            Of data with only one kind of held-out images, these are both. How
            each source splits itself is in its class: of data that come with
            train and test images, "all" is the train images only (but both of
            the built-in sources). `tfds` also takes "train[:10%]" and the like.
        data_dir: str, or None. Where `tfds` looks; the others ignore it.
        channels: int, 1 or 3. Default: what the source has.
        max_pixels: int > 0. Larger images are bad, as damaged ones are; the
            built-in sources ignore it.
        manifest: str, or None. What `experiments/check_data.py` wrote of a
            folder, which is held to it.
        segmentation_class_names: sequence of str, or None. Of the masks of
            `tfds`, where the data set does not name them.
        split_rules: int. By which rules `folder`, `segmentation` and `coco`
            hold images out: 2, or 1 as runs have it that began before there
            were numbers. The others ignore it.

    Raises:
        ValueError: `spec` is none of these, there is a `manifest` for another
            source than a folder, names of classes for another than `tfds`, or
            what the source's class raises.
    """
    scheme, _, rest = spec.partition(":")
    if segmentation_class_names is not None and scheme != "tfds":
        raise ValueError(
            "`segmentation_class_names` is for tfds:NAME; other sources name "
            f"the classes of pixels themselves. Received: {spec}."
        )
    if manifest is not None and scheme != "folder":
        raise ValueError(
            "`manifest` is for folders of images: leave it out, or give "
            f"folder:PATH. Received: {spec} and {manifest}."
        )
    if split == "validation" and scheme not in _WITH_VALIDATION:
        split = "test"
    if spec in _BUILTIN:
        return _BUILTIN[spec](split=split, channels=channels)
    if scheme not in _SCHEMES or not rest:
        suggestion = _suggest(spec)
        hint = f" Did you mean `{suggestion}`?" if suggestion else ""
        raise ValueError(
            f"A dataset must be one of {', '.join(FORMS)}.{hint} "
            f"Received: {spec!r}."
        )
    options = {}
    if scheme == "tfds":
        options["data_dir"] = data_dir
        options["segmentation_class_names"] = segmentation_class_names
    if manifest is not None:
        options["manifest"] = manifest
    if scheme in _WITH_RULES:
        options["rules"] = split_rules
    return _SCHEMES[scheme](
        rest, split=split, channels=channels, max_pixels=max_pixels, **options
    )


def _suggest(spec):
    if os.path.isdir(os.path.expanduser(spec)):
        return f"folder:{spec}"
    scheme, separator, rest = spec.partition(":")
    if not separator or scheme == "builtin":
        names = [name.removeprefix("builtin:") for name in _BUILTIN]
        for close in difflib.get_close_matches(rest or scheme, names, n=1):
            return f"builtin:{close}"
    schemes = ["builtin", *_SCHEMES]
    for close in difflib.get_close_matches(scheme.lower(), schemes, n=1):
        if rest and close != "builtin":
            return f"{close}:{rest}"
    for close in difflib.get_close_matches(spec.lower(), FORMS, n=1):
        return close
    return None

"""The images of a source, one after another, each with how to examine it."""

import dataclasses
import functools
from collections.abc import Callable
from collections.abc import Iterable

import tensorflow as tf

from tf_simmim.data import bad_images
from tf_simmim.data.inspection import examination
from tf_simmim.data.inspection import finding
from tf_simmim.data.inspection import folder_survey
from tf_simmim.data.sources import holdout
from tf_simmim.data.sources import open as opening
from tf_simmim.data.sources import record_files

_IMAGE = "image/encoded"


@dataclasses.dataclass(frozen=True)
class Item:
    """An image that waits to be examined.

    Attributes:
        examine: callable without arguments that returns an `Examined`.
        side: "train", "validation" or None, what training uses it for.
    """

    examine: Callable
    side: str | None


@dataclasses.dataclass(frozen=True)
class Items:
    """The items of one source.

    Attributes:
        items: iterable of `Item`.
        total: int, how many; None if that is known at the end only.
        findings: list of `Finding`, of what is no image.
        root: bytes, a folder's path; None of other sources.
    """

    items: Iterable
    total: int | None = None
    findings: tuple = ()
    root: bytes | None = None


def open_items(spec, splits, examiner, data_dir=None) -> Items:
    """Opens a source to examine its images.

    Args:
        spec: str, as `open_source` takes it.
        splits: dict of str, side ("train" or "validation") -> split.
        examiner: `Examiner`.
        data_dir: as `open_source` takes it.

    Raises:
        ValueError: the source cannot be opened.
    """
    scheme, _, rest = spec.partition(":")
    if scheme == "folder" and rest:
        survey = folder_survey.FolderSurvey(rest, splits)
        return Items(
            _folder_items(survey, examiner),
            len(survey.files),
            survey.findings,
            survey.root,
        )
    if scheme == "tfrecord" and rest:
        return Items(_tfrecord_items(rest, splits, examiner))
    sources = {
        side: opening.open_source(
            spec,
            split=split,
            data_dir=data_dir,
            max_pixels=examiner.max_pixels,
        )
        for side, split in splits.items()
    }
    return Items(
        _other_items(sources, examiner), sum(map(len, sources.values()))
    )


def _folder_items(survey, examiner):
    for file in survey.files:
        examine = functools.partial(examiner.examine_file, file, survey.root)
        yield Item(examine, survey.sides.get(file))


def _tfrecord_items(pattern, splits, examiner):
    paths = sorted(tf.io.gfile.glob(pattern))
    if not paths:
        raise ValueError(
            f"`tfrecord:{pattern}` needs TFRecord files, and no file matches "
            "that: correct the pattern (quote it on a command line)."
        )
    position = 0
    for path in paths:
        records = enumerate(tf.data.TFRecordDataset(path))
        damage = record_files.RecordFiles([path], [0]).damage
        for name, record in _until_damage(records, f"{path}: record", damage):
            if isinstance(record, finding.Finding):
                yield Item(functools.partial(_bad, record), None)
                continue
            examine = functools.partial(
                _examine_record, examiner, record.numpy(), name
            )
            yield Item(examine, _side(position, splits))
            position += 1


def _other_items(sources, examiner):
    for side, source in sources.items():
        if source.random_access:
            elements = tf.data.Dataset.range(len(source))
            read = source.read
        else:
            elements = source.records(order_seed=None, shuffle=False)
            read = source.decode
        read = tf.function(
            lambda element, read=read: read(element)["image"],
            input_signature=[elements.element_spec],
        )
        elements = _until_damage(
            enumerate(elements), f"{source.name}, {side} image", source.damage
        )
        for name, element in elements:
            if isinstance(element, finding.Finding):
                yield Item(functools.partial(_bad, element), None)
                continue
            examine = functools.partial(
                _examine_element, examiner, read, element, name
            )
            if hasattr(source, "paths"):
                examine = functools.partial(
                    _examine_path,
                    examiner,
                    read,
                    element,
                    source.paths[int(element)],
                )
            yield Item(examine, side)


def _until_damage(numbered, what, damage):
    """Yields (name, element), and at damage (name, `Finding`) and no more.

    Args:
        numbered: iterable of (int, element).
        what: str, of what kind an element is.
        damage: callable that returns what is wrong, a list of str.
    """
    number = -1
    try:
        for number, element in numbered:
            yield f"{what} {number}".encode(), element
    except tf.errors.OpError:
        name = f"{what} {number + 1}"
        # It begins with what the name says already.
        detail = "; ".join(damage()).removeprefix(f"{name}, ")
        name = name.encode()
        yield name, finding.Finding("damaged_shard", name, detail)


def _side(position, splits):
    for side, split in splits.items():
        split = "test" if split == "validation" else split
        # As of twenty or more; how many there are is known at the end only.
        if split == "all" or holdout.belongs(position, 20, split):
            return side
    return None


def _bad(found):
    return examination.Examined(found.path, None, (found,))


def _examine_record(examiner, record, name):
    try:
        example = tf.train.Example.FromString(record)
        (contents,) = example.features.feature[_IMAGE].bytes_list.value
    # No example, or not one value; protobuf's error has no public name.
    except Exception:
        return _bad(finding.Finding("no_image_feature", name))
    return examiner.examine_contents(contents, name)


def _examine_path(examiner, read, index, path):
    """Examines a file, and what goes with it: its mask, or its boxes."""
    examined = examiner.examine_file(path, b"")
    try:
        if not examined.is_bad:
            read(index)
    except tf.errors.OpError as error:
        detail = bad_images.reason(error)
        found = finding.Finding("damaged", path, detail)
        examined = dataclasses.replace(
            examined, findings=(*examined.findings, found)
        )
    return examined


def _examine_element(examiner, read, element, name):
    try:
        image = read(element).numpy()
    except tf.errors.OpError as error:
        detail = bad_images.reason(error)
        return _bad(finding.Finding("damaged", name, detail))
    return examiner.examine_pixels(image, name)

"""Classes of the images of a run: their names, and whether there are any."""

import numpy as np
from absl import logging

_MOST_NAMED = 5


def name_classes(source, held_out):
    """Gives sources with labels, but without names of classes, these names.

    The numbers up to the greatest label of the training images, for both; not
    for held-out images with a greater label. It reads all labels. A number
    that no training image has is logged.

    Args:
        source: `data.Source` to train on. One with names stays as it is.
        held_out: `data.Source` or None.

    Raises:
        ValueError: there are no labels.
    """
    if source.class_names is not None:
        return
    labels = source.labels()
    num_classes = int(labels.max()) + 1
    source.class_names = tuple(str(n) for n in range(num_classes))
    if labels.min() >= 0:
        counts = np.bincount(labels)
        _warn_of_missing(source, counts, source.class_names, "training image")
    if held_out is not None and held_out.labels().max() < num_classes:
        held_out.class_names = source.class_names


def require_classes(source, held_out, advice):
    """Refuses images that there is nothing to tell apart in.

    Classes without an image are logged, where that is known without reading
    all of them.

    Args:
        source: `data.Source` to train on, with names of classes.
        held_out: `data.Source` or None.
        advice: str. What to do where the held-out images have other classes.

    Raises:
        ValueError: there is one class alone, or the held-out images have other
            classes or none.
    """
    names = source.class_names
    folder = getattr(source, "folder", None)
    if len(names) < 2:
        where, hint = source.name, ""
        if folder is not None:
            where = f"{folder}/{names[0]}"
            hint = (
                " Each class needs a folder of its own beside it; if the "
                f"classes are the folders in it, give {where}."
            )
        raise ValueError(
            "There must be two classes or more, to tell one from another. "
            f"Received: {len(names)}, {', '.join(names)!r}, in {where}.{hint}"
        )
    counts = None if held_out is None else source.class_counts()
    if (
        folder is not None
        and counts is not None
        and counts.max() == 1
        and not counts.min()
    ):  # So `holdout.by_class` took the only image of some.
        raise ValueError(
            "Each class needs two images, to hold one out. Received: one in "
            f"each of {len(names):,} classes, in {folder}."
        )
    if held_out is not None and held_out.class_names != names:
        raise ValueError(
            "The held-out images must have labels of the classes of the "
            f"training images; {advice}. "
            f"Received: {_difference(source, held_out)}."
        )
    warn_of_missing(source, held_out, names, "image")


def warn_of_missing(source, held_out, names, noun):
    """Logs which classes there are none of, where that is known.

    Args:
        source: `data.Source` to train on.
        held_out: `data.Source` or None.
        names: sequence of str, those of the classes.
        noun: str. What is counted: "image" or "box".
    """
    for each, what in ((source, "training"), (held_out, "held-out")):
        counts = None if each is None else each.class_counts()
        if counts is not None:
            _warn_of_missing(each, counts, names, f"{what} {noun}")


def _difference(source, held_out):
    """Says how the classes of held-out images are others."""
    where = getattr(held_out, "folder", held_out.name)
    if held_out.class_names is None:
        strangers = getattr(held_out, "strangers", [])
        if strangers:
            return (
                f"{where}, with images of classes that no training image is "
                f"of: {_some(strangers)}"
            )
        loose = getattr(held_out, "loose", [])
        if loose:
            return (
                f"{where}, whose images have no labels, since some lie in no "
                f"folder of a class: {_some(loose)}"
            )
        return f"{where}, whose images have no labels"
    theirs, ours = held_out.class_names, source.class_names
    only = [
        f"only {what}: {_some(names)}"
        for what, names in (
            ("held out", [n for n in theirs if n not in ours]),
            ("in training", [n for n in ours if n not in theirs]),
        )
        if names
    ]
    return f"{where}, {'; '.join(only) or 'the classes in another order'}"


def _warn_of_missing(source, counts, names, what):
    missing = [
        name for name, count in zip(names, counts, strict=True) if not count
    ]
    if missing:
        logging.warning(
            "%s: %d of %d classes have no %s: %s.",
            getattr(source, "folder", source.name),
            len(missing),
            len(names),
            what,
            _some(missing),
        )


def _some(names):
    shown = ", ".join(names[:_MOST_NAMED])
    return f"{shown}, ..." if len(names) > _MOST_NAMED else shown

"""The images of a run, opened again as its record says, to measure by them.

Dimension key:
  N: images   H W: model input, px   C: channels
"""

import numpy as np

from tf_simmim import data
from tf_simmim import models
from tf_simmim.export.preprocessing import Preprocessing

HELD_OUT, TRAINING = "held_out", "training"
BATCH_SIZE = 64


def are_named(record, which) -> bool:
    """Returns whether a run says which these images are.

    Args:
        record: `run.RunRecord`.
        which: str, `HELD_OUT` or `TRAINING`.
    """
    return bool(_dataset_of(record, which) and _split_of(record, which))


def open_source(record, which, model, spec=None, split=None):
    """Opens images of a run, as training did, or others for its model.

    Args:
        record: `run.RunRecord`.
        which: str, `HELD_OUT` or `TRAINING`.
        model: the run's.
        spec: str. Another source, as of `data.open_source`; None for the
            run's own.
        split: str. Another split; None for the run's.

    Returns:
        `data.Source`.

    Raises:
        ValueError: the run has no such images, or they cannot be opened, or
            have other channels than the model.
    """
    settings = record.settings
    dataset = spec or _dataset_of(record, which)
    split = split or _split_of(record, which)
    if not dataset or not split:
        raise ValueError(
            f"The run must say which its {which.replace('_', '-')} images are; "
            "for others there are --dataset of prune.py and "
            "--tflite_calibration of export.py. Received: a run that does not."
        )
    options = {}
    if spec is None:
        options = {
            "data_dir": settings.get("data_dir"),
            "split_rules": settings.get("split_rules") or 1,
        }
        if settings.get("max_pixels"):
            options["max_pixels"] = settings["max_pixels"]
        # It is of the training images.
        if which == TRAINING or not settings.get("validation_dataset"):
            options["manifest"] = settings.get("data_manifest") or None
        if isinstance(model, models.Segmenter) and dataset.startswith("tfds:"):
            options["segmentation_class_names"] = record.data.class_names
    channels = model.backbone.channels
    source = data.open_source(
        dataset,
        split,
        channels=channels if channels in (1, 3) else None,
        **options,
    )
    if source.channels != channels:
        raise ValueError(
            f"The images must have the model's {channels} channels. "
            f"Received: {source.name}, with {source.channels}."
        )
    return source


def _dataset_of(record, which):
    dataset = record.settings.get("dataset")
    if which == HELD_OUT:
        return record.settings.get("validation_dataset") or dataset
    return dataset


def _split_of(record, which):
    """Returns the name of a split, empty where a run holds nothing out."""
    name = {HELD_OUT: "validation_split", TRAINING: "split"}[which]
    default = {HELD_OUT: "validation", TRAINING: "train"}[which]
    known = (record.data.splits if record.data else {}).get(which)
    # Runs of 0.1.0 have it among their settings alone.
    return known or record.settings.get(name, default)


def batches(record, model, which, num_images, spec=None, split=None):
    """Returns elements of a run's images, as it is evaluated by.

    Args:
        record: `run.RunRecord`.
        model: the run's.
        which: str, `HELD_OUT` or `TRAINING`.
        num_images: int > 0, at most. In an order of their own, always the
            same.
        spec: as of `open_source`.
        split: as of `open_source`.

    Returns:
        (data set of batches of elements with the labels that there are, str:
        which images these are).

    Raises:
        ValueError: as `open_source`.
    """
    source = open_source(record, which, model, spec, split)
    preprocessing = Preprocessing.of_record(
        record.input, model.backbone.image_size
    )
    with_segmentation = (
        isinstance(model, models.Segmenter)
        and source.segmentation_class_names is not None
    )
    with_boxes = (
        isinstance(model, models.Detector)
        and source.box_class_names is not None
    )
    stream = data.ImageStream(
        source,
        preprocessing.crop,
        preprocessing.normalization,
        max_bad_images=None if spec else record.settings.get("max_bad_images"),
        with_segmentation=with_segmentation,
        with_boxes=with_boxes,
    )
    count = min(len(source), num_images)
    found = stream.batches(BATCH_SIZE, stop_index=count, drop_remainder=False)
    return found, f"{source.name}, {split or which.replace('_', '-')}"


def pixels(record, model, which, num_images, spec=None) -> np.ndarray:
    """Returns images of a run as files of TensorFlow Lite take them.

    Args:
        record: `run.RunRecord`.
        model: the run's.
        which: str, `HELD_OUT` or `TRAINING`.
        num_images: int > 0, at most.
        spec: as of `open_source`.

    Returns:
        float32 [N, H, W, C], 0..255.

    Raises:
        ValueError: as `open_source`.
    """
    preprocessing = Preprocessing.of_record(
        record.input, model.backbone.image_size
    )
    found, _ = batches(record, model, which, num_images, spec)
    images = [preprocessing.to_pixels(batch["image"]) for batch in found]
    return np.concatenate(images).astype(np.float32)

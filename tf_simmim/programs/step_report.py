"""The report of a step of compression, by images of the run."""

import dataclasses
from typing import Any

from tf_simmim.compression import memory
from tf_simmim.compression import report as reporting
from tf_simmim.models import registry
from tf_simmim.programs import run_images

_NUM_IMAGES = 2000
# Of a network without a head: probes learn from these.
_NUM_TRAIN_IMAGES = 2048


@dataclasses.dataclass(frozen=True)
class Images:
    """What a step is measured by, as `compression.report.report` takes it.

    Attributes:
        batches: data set of batches of elements.
        name: str. Which images these are.
        train: the same as `batches`, for probes to learn from, or None.
    """

    batches: Any
    name: str
    train: Any


def open_images(record, original, num_images, dataset=None, split=None):
    """Opens held-out images of a run; of one without, those of calibration.

    To be called before anything is computed: what cannot be opened is found.

    Args:
        record: `run.RunRecord`.
        original: model of the original.
        num_images: int > 0. At most so many images are calibrated with.
        dataset: str. Their source, as of `run_images.open_source`.
        split: str. Likewise.

    Returns:
        `Images`.

    Raises:
        ValueError: as `run_images.open_source`.
    """
    if not run_images.are_named(record, run_images.HELD_OUT):
        found, name = run_images.batches(
            record, original, run_images.TRAINING, num_images, dataset, split
        )
        return Images(found, name, None)
    found, name = run_images.batches(
        record, original, run_images.HELD_OUT, _NUM_IMAGES
    )
    train = None
    is_headless = registry.kind_of(original).name == "simmim"
    if is_headless and "label" in found.element_spec:
        train, _ = run_images.batches(
            record, original, run_images.TRAINING, _NUM_TRAIN_IMAGES
        )
    return Images(found, name, train)


def measure(
    original, networks, images, *, step, seed, settings, selection=None
):
    """Measures a step's network beside the original.

    Args:
        original: model of the original.
        networks: (`Network` of the original, of the step).
        images: `Images`.
        step: str. The step's name.
        seed: int or None. Of the step.
        settings: dict, JSON-able. How the step was asked for.
        selection: dict, JSON-able, or None. What it says of its units.

    Returns:
        `CompressionReport`, without peak memory; see `with_memory`.

    Raises:
        ValueError, FloatingPointError: as `report`.
    """
    return reporting.report(
        networks[0],
        networks[1],
        images.batches,
        model=original,
        kind=registry.kind_of(original).name,
        step=step,
        images_name=images.name,
        train_images=images.train,
        seed=seed,
        settings=settings,
        selection=selection,
        measure_memory=False,
    )


def with_memory(report, original, folder):
    """Returns a report with the peak memory of two runs, in processes each.

    Args:
        report: `CompressionReport` of networks under TensorFlow.
        original: path of the original's run.
        folder: path of the smaller network's run.
    """
    batch_size = max(row.batch_size for row in report.original.latency)
    peaks = [
        memory.peak_memory(path, batch_size) for path in (original, folder)
    ]
    return dataclasses.replace(
        report,
        original=dataclasses.replace(report.original, peak_memory=peaks[0]),
        compressed=dataclasses.replace(report.compressed, peak_memory=peaks[1]),
    )

"""The report of a step of compression, by the run's own held-out images."""

import dataclasses

from tf_simmim.compression import memory
from tf_simmim.compression import report as reporting
from tf_simmim.models import registry
from tf_simmim.programs import run_images

_NUM_IMAGES = 2000
# Of a network without a head: probes learn from these.
_NUM_TRAIN_IMAGES = 2048


def measure(record, original, networks, *, step, settings):
    """Measures a step's network beside the original.

    Args:
        record: `run.RunRecord` of the original.
        original: its model.
        networks: (`Network` of the original, of the step).
        step: str. The step's name.
        settings: dict, JSON-able. How the step was asked for.

    Returns:
        `CompressionReport`, without peak memory; see `with_memory`.

    Raises:
        ValueError: as `run_images.open_source`, and `report`.
    """
    images, name = run_images.batches(
        record, original, run_images.HELD_OUT, _NUM_IMAGES
    )
    kind, train_images = registry.kind_of(original).name, None
    if kind == "simmim" and "label" in images.element_spec:
        train_images, _ = run_images.batches(
            record, original, run_images.TRAINING, _NUM_TRAIN_IMAGES
        )
    return reporting.report(
        networks[0],
        networks[1],
        images,
        model=original,
        kind=kind,
        step=step,
        images_name=name,
        train_images=train_images,
        seed=record.seed,
        settings=settings,
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

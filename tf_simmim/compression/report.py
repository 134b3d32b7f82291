"""The one report that is made after every step of a compression."""

import dataclasses

import numpy as np

from tf_simmim.compression import comparison
from tf_simmim.compression import latency
from tf_simmim.compression import measurement
from tf_simmim.compression import memory
from tf_simmim.compression.agreement import Agreement
from tf_simmim.compression.measurement import Measurement
from tf_simmim.run import environment

BATCH_SIZES = (1, 8)
_IMAGES_SEED = 0


@dataclasses.dataclass(frozen=True)
class CompressionReport:
    """A smaller network beside the original, by the same images and machine.

    Attributes:
        step: str. What made the network smaller, such as "prune".
        kind: str. Of the model, a name in `models.registry`.
        original: `Measurement` of the original.
        compressed: `Measurement` of the smaller network.
        agreement: `Agreement` of the two.
        images: str. Which images they are compared by.
        num_images: int. How many these are.
        seed: int or None. Of the step.
        settings: {name: value}, JSON-able. How the step was asked for.
        selection: dict, JSON-able, or None. What the step says of the units
            that it has kept: entropy and information of each block.
        machine: {name: value}, JSON-able: processor, threads, settings.
        versions: {package: version, or None for one that is not there}.
    """

    step: str
    kind: str
    original: Measurement
    compressed: Measurement
    agreement: Agreement
    images: str
    num_images: int
    seed: int | None
    settings: dict
    selection: dict | None
    machine: dict
    versions: dict[str, str | None]


def report(
    original,
    compressed,
    images,
    *,
    model,
    kind,
    step,
    images_name,
    train_images=None,
    seed=None,
    settings=None,
    selection=None,
    batch_sizes=BATCH_SIZES,
    num_runs=latency.NUM_RUNS,
    measure_memory=True,
) -> CompressionReport:
    """Measures a smaller network and the original, side by side.

    Args:
        original: `Network`, computed by the runtime of `compressed`.
        compressed: `Network`.
        images: iterable of batches, as often as is asked: dicts with `image`
            float [B, H, W, C], normalised, and labels if there are any:
            `label`, `segmentation`, or `boxes` and `box_classes`.
        model: model of the original; says what its answers are.
        kind: str. Its name in `models.registry`.
        step: str. What made the network smaller.
        images_name: str. What `images` are.
        train_images: the same with `label`, of other images: a network without
            a head is then scored by k-NN and a linear probe that learn from
            them. Default: it is not scored.
        seed: int or None. Of the step.
        settings: dict, JSON-able, or None. How the step was asked for.
        selection: dict, JSON-able, or None. What the step says of its units.
        batch_sizes: sequence of int > 0. Which latencies are measured.
        num_runs: int > 0. How often each of them is.
        measure_memory: bool. Whether to measure the peak memory of networks
            that have a folder, in a process each, ten seconds or more.

    Returns:
        `CompressionReport`.

    Raises:
        ValueError: there are too few images to compare networks by.
        FloatingPointError: a network's answer is not finite.
    """
    networks = (original, compressed)
    agreement, scores, num_images = comparison.compare(
        model, networks, images, train_images
    )
    shape = (*model.backbone.image_size, model.backbone.channels)
    times = _latencies(networks, shape, batch_sizes, num_runs)
    measured = [
        Measurement(
            runtime=network.runtime,
            num_threads=network.num_threads,
            num_weights=network.num_weights,
            flops=network.flops,
            num_bytes=network.num_bytes,
            peak_memory=memory.peak_memory(network.folder, max(batch_sizes))
            if measure_memory and network.folder is not None
            else None,
            latency=times[i],
            scores=scores[i],
            blocks=measurement.widths_of(network.shapes),
        )
        for i, network in enumerate(networks)
    ]
    described = environment.fingerprint()
    versions = environment.describe_environment()["packages"]
    return CompressionReport(
        step=step,
        kind=kind,
        original=measured[0],
        compressed=measured[1],
        agreement=agreement,
        images=images_name,
        num_images=num_images,
        seed=seed,
        settings=settings or {},
        selection=selection,
        machine={n: v for n, v in described.items() if n not in versions},
        versions=versions,
    )


def _latencies(networks, image_shape, batch_sizes, num_runs):
    """Returns a tuple of `Latency`, one a batch size, for each network."""
    rng = np.random.default_rng(_IMAGES_SEED)
    columns = []
    for batch_size in batch_sizes:
        batch = rng.normal(size=(batch_size, *image_shape)).astype(np.float32)
        columns.append(
            latency.interleaved(
                [network.forward(batch) for network in networks],
                batch_size,
                num_runs,
            )
        )
    return [tuple(row) for row in zip(*columns, strict=True)]

"""What one of two networks costs and is worth."""

import dataclasses

from tf_simmim.compression.latency import Latency

# Widths of a block, as `block_plan.BlockShape` names them.
WIDTHS = ("embed_dim", "num_heads", "key_dim", "value_dim", "mlp_dim")


@dataclasses.dataclass(frozen=True)
class Measurement:
    """The costs of a network, and its scores.

    Attributes:
        runtime: str. What computed it, such as "TensorFlow".
        num_threads: int. Threads that computed it.
        num_weights: int. Numbers in all of its weights.
        flops: int. Operations of its backbone for one image.
        num_bytes: int. Size of a file that holds it.
        peak_memory: int, bytes, or None where it was not measured: growth of
            the resident memory of a process that loads and computes it; see
            `compression.memory`.
        latency: tuple of `Latency`, one a size of batch.
        scores: {name: float in [0, 1]}: `accuracy`; `mean_iou` and
            `pixel_accuracy`; `mean_average_precision`; or `knn` and `linear`
            of features. Empty without labels.
        blocks: tuple of {name of `WIDTHS`: int}, the widths of each block of a
            transformer.
    """

    runtime: str
    num_threads: int
    num_weights: int
    flops: int
    num_bytes: int
    peak_memory: int | None
    latency: tuple[Latency, ...]
    scores: dict[str, float]
    blocks: tuple[dict[str, int], ...]


def widths_of(shapes) -> tuple[dict[str, int], ...]:
    """Returns `Measurement.blocks` of `BlockShape`s."""
    return tuple({n: getattr(shape, n) for n in WIDTHS} for shape in shapes)

"""A report with numbers of every kind, as tests of its files need it."""

from tf_simmim.compression.agreement import Agreement
from tf_simmim.compression.latency import Latency
from tf_simmim.compression.measurement import Measurement
from tf_simmim.compression.report import CompressionReport


def measurement(**changes):
    values = {
        "runtime": "TensorFlow",
        "num_threads": 2,
        "num_weights": 450_634,
        "flops": 53_000_000,
        "num_bytes": 1_802_536,
        "peak_memory": 30_000_000,
        "latency": (
            Latency(1, 2.5, 2.25, 3.0, 50),
            Latency(8, 12.0, 11.0, 14.0, 40),
        ),
        "scores": {"accuracy": 0.9639},
        "blocks": (
            {
                "embed_dim": 96,
                "num_heads": 3,
                "key_dim": 32,
                "value_dim": 32,
                "mlp_dim": 384,
            },
        )
        * 2,
    }
    return Measurement(**{**values, **changes})


def report(**changes):
    original = measurement()
    narrow = {**original.blocks[0], "key_dim": 16, "mlp_dim": 96}
    values = {
        "step": "prune",
        "kind": "classifier",
        "original": original,
        "compressed": measurement(
            num_weights=117_000,
            flops=15_000_000,
            num_bytes=468_000,
            peak_memory=None,
            latency=(
                Latency(1, 1.25, 1.0, 1.5, 50),
                Latency(8, 6.0, 5.0, 7.0, 40),
            ),
            scores={"accuracy": 0.9611},
            blocks=(narrow, original.blocks[1]),
        ),
        "agreement": Agreement("predictions", 0.0003, 0.9972, 0.9991),
        "images": "builtin:digits, test",
        "num_images": 360,
        "seed": 3,
        "settings": {"target": "params:0.26"},
        "selection": {"blocks": [{"kept": [0, 5], "entropy": 1.5}]},
        "machine": {"cpu_count": 2},
        "versions": {"tensorflow": "2.15.1", "pillow": None},
    }
    return CompressionReport(**{**values, **changes})

"""What `visible_only` saves: processor time of a training step.

    python benchmarks/visible_only.py --backbone=vit_small --image_size=224

It is MAE's encoder, not SimMIM: another task, so a step of it is not a faster
step of SimMIM. The models take turns step by step; the table has the median of
the ratios to SimMIM with its linear head, with the quartiles. Processor time of
all threads, which other work on the machine changes little; on a CPU.
"""

import statistics
import time

from absl import app
from absl import flags

import tf_simmim  # noqa: F401  (sets TensorFlow up; before TensorFlow itself)
from tf_simmim import backbones
from tf_simmim import models

# isort: split
import tensorflow as tf

_BACKBONE = flags.DEFINE_enum(
    "backbone",
    "vit_small",
    [name for name in backbones.PRESETS if name.startswith("vit")],
    "ViT to pretrain.",
)
_IMAGE_SIZE = flags.DEFINE_integer("image_size", 224, "Side, px.")
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 4, "Images in a step.")
_MASK_RATIO = flags.DEFINE_float("mask_ratio", 0.6, "Fraction to hide.")
_ROUNDS = flags.DEFINE_integer("rounds", 15, "Steps of each model.")

_FIXED_POSITIONS = dict(absolute_position="sincos", relative_position="none")
_MODELS = {
    "SimMIM, `linear`": ("linear", {}),
    "SimMIM, `linear`, sincos positions": ("linear", _FIXED_POSITIONS),
    "SimMIM, `decoder`, sincos positions": ("decoder", _FIXED_POSITIONS),
    "`visible_only` (not SimMIM), `decoder`": (
        "decoder",
        {**_FIXED_POSITIONS, "visible_only": True},
    ),
    "`visible_only` (not SimMIM), `cross_attention`": (
        "cross_attention",
        {**_FIXED_POSITIONS, "visible_only": True},
    ),
}


def create_step(head, options):
    """Returns a function that takes one training step."""
    size = _IMAGE_SIZE.value
    backbone = backbones.create(_BACKBONE.value, size, **options)
    model = models.SimMIM(backbone, mask_ratio=_MASK_RATIO.value, head=head)
    model.compile(tf.keras.optimizers.AdamW(1e-4))
    images = tf.random.normal([_BATCH_SIZE.value, size, size, 3])

    def step():
        model.train_on_batch(images)

    step()  # traces the graph
    return step


def main(argv):
    """Prints the table."""
    del argv
    steps = {name: create_step(*model) for name, model in _MODELS.items()}
    seconds = {name: [] for name in steps}
    for _ in range(_ROUNDS.value):
        for name, step in steps.items():
            start = time.process_time()
            step()
            seconds[name].append(time.process_time() - start)
    first, *_ = seconds.values()
    print("| model and head | step over SimMIM's with the linear head |")
    print("|---|---|")
    for name, times in seconds.items():
        ratios = [one / base for one, base in zip(times, first, strict=True)]
        low, middle, high = statistics.quantiles(ratios)
        print(f"| {name} | {middle:.2f} ({low:.2f}-{high:.2f}) |")


if __name__ == "__main__":
    app.run(main)

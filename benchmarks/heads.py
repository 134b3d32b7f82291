"""What the prediction heads cost: weights, and processor time of a step.

    python benchmarks/heads.py --backbone=vit_small --image_size=224

The heads take turns step by step; the table has the median of their ratios to
the linear head, with the quartiles. Processor time of all threads, which other
work on the machine changes little; on a CPU.
"""

import statistics
import time

from absl import app
from absl import flags

import tf_simmim  # noqa: F401  (sets TensorFlow up; before TensorFlow itself)
from tf_simmim import backbones
from tf_simmim import heads
from tf_simmim import models

# isort: split
import tensorflow as tf

_BACKBONE = flags.DEFINE_enum(
    "backbone", "vit_small", sorted(backbones.PRESETS), "Network to pretrain."
)
_IMAGE_SIZE = flags.DEFINE_integer("image_size", 224, "Side, px.")
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 4, "Images in a step.")
_ROUNDS = flags.DEFINE_integer("rounds", 15, "Steps with each head.")


def create_step(head):
    """Returns (function that takes one training step, weights of the head)."""
    size = _IMAGE_SIZE.value
    model = models.SimMIM(backbones.create(_BACKBONE.value, size), head=head)
    model.compile(tf.keras.optimizers.AdamW(1e-4))
    images = tf.random.normal([_BATCH_SIZE.value, size, size, 3])

    def step():
        model.train_on_batch(images)

    step()  # traces the graph
    return step, model.head.count_params()


def main(argv):
    """Prints the table."""
    del argv
    steps = {head: create_step(head) for head in heads.HEADS}
    seconds = {head: [] for head in heads.HEADS}
    for _ in range(_ROUNDS.value):
        for head, (step, _) in steps.items():
            start = time.process_time()
            step()
            seconds[head].append(time.process_time() - start)
    print("| head | weights | step over that with the linear head |")
    print("|---|---|---|")
    for head, (_, weights) in steps.items():
        pairs = zip(seconds[head], seconds["linear"], strict=True)
        ratios = [one / linear for one, linear in pairs]
        low, middle, high = statistics.quantiles(ratios)
        print(f"| {head} | {weights:,} | {middle:.2f} ({low:.2f}-{high:.2f}) |")


if __name__ == "__main__":
    app.run(main)

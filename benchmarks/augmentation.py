"""What an image costs in fine-tuning's augmentation, beside pretraining's.

    python benchmarks/augmentation.py

augments photographs that are in memory, decoded, 500 x 375 px, in a `tf.data`
pipeline, and prints two tables of CPU time (all threads): the stages, taking
turns within each round; and every operation of RandAugment, of images of the
size that is trained at.
"""

import pathlib
import statistics
import sys
import time

from absl import app
from absl import flags

_HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(_HERE.parent))

from tf_simmim import data  # noqa: E402
from tf_simmim import randomness  # noqa: E402
from tf_simmim.data import image_operations  # noqa: E402

# isort: split
import tensorflow as tf  # noqa: E402

_SIZE = flags.DEFINE_integer("size", 224, "Size that is trained at, px.")
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Rounds that all take turns in.")
_NUM_IMAGES = flags.DEFINE_integer("images", 400, "Images of each in a round.")
_BATCH_SIZE = 20
_FILE_SIZE = (375, 500)  # px
_WARM_UP = 3


def photographs():
    """Returns the data set's photographs as uint8 of one size."""
    source = data.PhotosSource("all")
    elements = source.epoch(shuffle=False).take(16)
    images = [tf.image.resize(e["image"], _FILE_SIZE) for e in elements]
    return tf.cast(tf.round(tf.stack(images)), tf.uint8)


def cost_of(function, images):
    """Returns a function that measures one round: CPU time an image, s.

    Args:
        function: function (image, seed) -> image.
        images: [n, H, W, C].
    """

    def augment(k):
        seed = randomness.seed_for(0, randomness.AUGMENTATION, k)
        return function(images[k % len(images)], seed)

    elements = tf.data.Dataset.counter().map(
        augment, tf.data.AUTOTUNE, deterministic=True
    )
    batches = iter(elements.batch(_BATCH_SIZE))
    for _ in range(_WARM_UP):
        next(batches)

    def measure():
        began = time.process_time()
        count = _NUM_IMAGES.value // _BATCH_SIZE
        for _ in range(count):
            next(batches)
        return (time.process_time() - began) / (count * _BATCH_SIZE)

    return measure


def print_table(heading, costs):
    """Prints a row for each of {name: measure}."""
    print(f"| {heading} | ms an image | images/s of a core |\n|---|---|---|")
    rounds = [
        {name: measure() for name, measure in costs.items()}
        for _ in range(_ROUNDS.value)
    ]
    for name in costs:
        values = sorted(1000 * seconds[name] for seconds in rounds)
        median = statistics.median(values)
        print(
            f"| {name} | {median:.2f} ({values[0]:.2f} to {values[-1]:.2f}) | "
            f"{1000 / median:,.0f} |"
        )
    print()


def main(argv):
    """Runs the program."""
    if argv[1:]:
        raise app.UsageError(f"Not a flag: {argv[1:]}.")
    images, normalization = photographs(), data.Normalization()
    size = _SIZE.value

    def finetuning(**options):
        return data.FinetuningAugmentation(size, normalization, **options)

    stages = {
        "pretraining": data.PretrainingAugmentation(size),
        "fine-tuning: crop and flip": finetuning(
            num_operations=0, erasing_rate=0
        ),
        "with RandAugment": finetuning(erasing_rate=0),
        "with random erasing: all": finetuning(),
    }
    print_table(
        f"{size} px", {name: cost_of(f, images) for name, f in stages.items()}
    )
    resized = tf.image.resize(tf.cast(images, tf.float32), (size, size))
    resized = tf.clip_by_value(tf.round(resized), 0.0, 255.0)
    operations = image_operations.ImageOperations([120.0] * 3)

    def one(name):
        return lambda image, seed: operations.apply(
            name, image, tf.constant(0.9), tf.constant(1.0)
        )

    costs = {"nothing": cost_of(lambda image, seed: image, resized)}
    names = image_operations.names(3)
    costs |= {name: cost_of(one(name), resized) for name in names}
    print_table(f"operation, {size} px", costs)


if __name__ == "__main__":
    app.run(main)

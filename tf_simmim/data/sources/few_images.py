"""A few images: what somebody has had the time to draw boxes or masks for."""

import tensorflow as tf

from tf_simmim import randomness
from tf_simmim.data import order
from tf_simmim.data.sources import chosen_images


class FewImages(chosen_images.ChosenImages):
    """Some images of a source, whatever is in them, drawn from a seed.

    The images of 100 are among those of 200. See `ChosenImages`, and
    `FewLabels` for as many of each class.

    Args:
        whole: `Source`.
        num_images: int in 1..len(whole). Images to keep.
        seed: int. Of the run.

    Raises:
        ValueError: `num_images` is out of range.

    Randomness: stateless, all from `seed`.
    """

    def __init__(self, whole, num_images, seed=0):
        if not 1 <= num_images <= len(whole):
            raise ValueError(
                f"`num_images` must be in 1..{len(whole)}, the images of "
                f"{whole.name}. Received: {num_images}."
            )
        places = order.shuffled(
            tf.range(num_images, dtype=tf.int64),
            len(whole),
            randomness.seed_for(seed, randomness.FEW_LABELS, 0),
        )
        super().__init__(whole, sorted(places.numpy()), f"{num_images} images")

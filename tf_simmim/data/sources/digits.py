"""`builtin:digits`: the handwritten digits that scikit-learn ships."""

import numpy as np
from PIL import Image

from tf_simmim.data.sources import arrays
from tf_simmim.data.sources import decoding
from tf_simmim.data.sources import holdout

_IMAGE_SIZE = 32  # px; the scans are 8 x 8
_LARGEST_VALUE = 16  # of a scanned pixel
_NUM_TRAIN = 1437  # of 1,797

# Measured on the train split; on the 0..1 scale.
_MEAN = 0.30911
_STD = 0.34925


class DigitsSource(arrays.ArraySource):
    """1,797 scanned digits, 8 x 8 pixels, enlarged to 32 x 32, grey.

    The last 360 are the test split, 33 to 37 of every digit; the 1,437 before
    them are the train split. (The scans come writer by writer, each going
    through the digits in turn, so that taking every n-th of them would favour
    some digits.) The split "all" is both, train before test. The enlargement
    is bicubic.

    Args:
        split: "train", "test" or "all".
        channels: int, 1, or 3 for models that expect colour (three equal
            channels). Default: 1.

    Raises:
        ValueError: `split` is none of these, or `channels` is neither 1 nor 3.

    Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten
        Digits, UCI Machine Learning Repository, 1998; the part of it in
        `sklearn.datasets.load_digits`.
    """

    def __init__(self, split="train", channels=None):
        holdout.require_split(split)
        channels = 1 if channels is None else channels
        decoding.require_colour_or_grey(channels)

        values, labels = scans(split)
        images = np.stack([_enlarge(scan) for scan in values])
        super().__init__(
            images=np.repeat(images[..., np.newaxis], channels, axis=-1),
            labels=labels,
            class_names=[str(digit) for digit in range(10)],
            mean=(_MEAN,) * channels,
            std=(_STD,) * channels,
            name="builtin:digits",
        )


def scans(split):
    """Returns (values, labels) of a split: [N, 8, 8] on the 0..1 scale, [N]."""
    # Imported here because it takes a second.
    from sklearn import datasets

    digits = datasets.load_digits()
    chosen = {
        "train": slice(None, _NUM_TRAIN),
        "test": slice(_NUM_TRAIN, None),
        "all": slice(None),
    }[split]
    return digits.images[chosen] / _LARGEST_VALUE, digits.target[chosen]


def _enlarge(scan):
    image = Image.fromarray((scan * 255).astype(np.float32))
    image = image.resize((_IMAGE_SIZE, _IMAGE_SIZE), Image.Resampling.BICUBIC)
    return np.clip(np.round(image), 0, 255).astype(np.uint8)

"""`builtin:photos`: crops of the photographs that two packages ship."""

import os

import numpy as np
from PIL import Image

from tf_simmim import randomness
from tf_simmim.data.sources import arrays
from tf_simmim.data.sources import decoding
from tf_simmim.data.sources import holdout

_CROP_SIZE = 96  # px
_CROPS_PER_PHOTOGRAPH = {"train": 64, "test": 16}
# The strip of the test crops, as parts of a photograph's width: wide enough
# for a crop in every photograph, and not the background at an edge.
_TEST_STRIP = (0.5, 0.75)

_SKLEARN_FILES = ("china.jpg", "flower.jpg")
_SKIMAGE_FILES = (
    "astronaut.png",
    "chelsea.png",
    "coffee.png",
    "motorcycle_left.png",
    "rocket.jpg",
)


class PhotosSource(arrays.ArraySource):
    """Square crops, 96 px, of seven colour photographs.

    scikit-learn ships two of the photographs and scikit-image five; nothing
    is downloaded. The crops lie at random but fixed places: test crops (16 a
    photograph) in the third quarter of its width, train crops (64) on either
    side of that strip, so that no pixel is in both splits. The split "all" is
    both, train before test. The label is the photograph.

    Args:
        split: "train", "test" or "all".
        channels: int, 3, or 1 for grey. Default: 3.

    Raises:
        ValueError: `split` is none of these, `channels` is neither 1 nor 3,
            or scikit-image is not installed.
    """

    def __init__(self, split="train", channels=None):
        holdout.require_split(split)
        channels = 3 if channels is None else channels
        decoding.require_colour_or_grey(channels)

        paths = _photograph_paths()
        parts = ("train", "test") if split == "all" else (split,)
        images = np.concatenate([_crops(paths, part) for part in parts])
        super().__init__(
            images=decoding.to_channels(images, channels),
            labels=np.arange(len(images)) % len(paths),
            class_names=[
                os.path.splitext(os.path.basename(path))[0] for path in paths
            ],
            name="builtin:photos",
        )


def sklearn_photographs() -> np.ndarray:
    """Returns the two photographs that scikit-learn ships.

    Returns:
        uint8 [2, 427, 640, 3].
    """
    return np.stack([_pixels(path) for path in _sklearn_paths()])


def columns(split, width):
    """Returns the (start, stop) of the columns that a split may show, px."""
    start, stop = (round(width * part) for part in _TEST_STRIP)
    return [(start, stop)] if split == "test" else [(0, start), (stop, width)]


def _sklearn_paths():
    import sklearn

    folder = os.path.join(os.path.dirname(sklearn.__file__), "datasets")
    return [os.path.join(folder, "images", name) for name in _SKLEARN_FILES]


def _photograph_paths():
    try:
        import skimage
    except ImportError as error:
        raise ValueError(
            "`builtin:photos` needs the photographs that scikit-image ships: "
            "run `pip install scikit-image`."
        ) from error
    skimage_folder = os.path.dirname(skimage.__file__)
    # By path, since `skimage.data` would download what it does not find.
    return _sklearn_paths() + [
        os.path.join(skimage_folder, "data", name) for name in _SKIMAGE_FILES
    ]


def _pixels(path):
    with Image.open(path) as photograph:
        return np.asarray(photograph.convert("RGB"))


def _crops(paths, split):
    """Returns a crop of each photograph, then the next of each, and so on."""
    num_crops = _CROPS_PER_PHOTOGRAPH[split]
    crops = []
    for number, path in enumerate(paths):
        pixels = _pixels(path)
        seed = randomness.seed_for(
            number, randomness.CROP, holdout.SPLITS.index(split)
        )
        crops.append(_random_crops(pixels, split, num_crops, seed))
    images = np.stack(crops, axis=1)
    return images.reshape(-1, *images.shape[2:])


def _random_crops(pixels, split, num_crops, seed):
    height, width = pixels.shape[:2]
    lefts = np.concatenate(
        [
            np.arange(start, stop - _CROP_SIZE + 1)
            for start, stop in columns(split, width)
        ]
    )
    tops = np.arange(height - _CROP_SIZE + 1)
    numbers = randomness.uniform([num_crops, 2], seed).numpy()
    crops = []
    for row, column in (numbers * (len(tops), len(lefts))).astype(np.int64):
        top, left = tops[row], lefts[column]
        crops.append(pixels[top : top + _CROP_SIZE, left : left + _CROP_SIZE])
    return np.stack(crops)

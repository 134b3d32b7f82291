"""What the images of a run go through before its model sees them."""

import dataclasses

from tf_simmim.run import checks

_MAX_SIDE = 1 << 16
_MAX_CHANNELS = 1 << 12
_MAX_TEXT = 1000
_MAX_OPTIONS = 20
_LEAST_CROP_FRACTION = 0.01  # as of --crop_fraction


@dataclasses.dataclass(frozen=True)
class InputRecord:
    """What a model's input is, so that others can make it.

        x = (crop(pixels) / value_range[1] - mean) / std

    Args:
        image_size: (height, width), px.
        channels: int > 0.
        value_range: (lowest, highest) value of a pixel, as images are decoded.
        mean: tuple of float, one a channel, on the 0..1 scale; None where
            nobody knows, as of converted weights.
        std: tuple of float > 0, like `mean`.
        bands: tuple of str, one a channel: what the channels are. None where
            the images do not say; three are red, green and blue then.
        crop: dict. `name` of the class in `tf_simmim.data` that held-out
            images go through, and numbers for its arguments besides
            `image_size`.

    Raises:
        ValueError: a value is none of these.
    """

    image_size: tuple[int, int]
    channels: int
    value_range: tuple[float, float] = (0, 255)
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    bands: tuple[str, ...] | None = None
    crop: dict = dataclasses.field(
        default_factory=lambda: {"name": "ResizeAndCentreCrop"}
    )

    def __post_init__(self):
        for name in ("image_size", "value_range", "mean", "std", "bands"):
            value = checks.as_tuple(getattr(self, name))
            object.__setattr__(self, name, value)
        checks.require(
            _is_pair(self.image_size)
            and all(checks.is_count(n, 1, _MAX_SIDE) for n in self.image_size),
            "input.image_size",
            "height and width in pixels, whole numbers above 0",
            self.image_size,
        )
        checks.require(
            checks.is_count(self.channels, 1, _MAX_CHANNELS),
            "input.channels",
            f"a whole number from 1 to {_MAX_CHANNELS}",
            self.channels,
        )
        checks.require(
            _is_pair(self.value_range)
            and all(map(checks.is_number, self.value_range))
            and self.value_range[0] < self.value_range[1],
            "input.value_range",
            "the lowest and the highest value of a pixel",
            self.value_range,
        )
        self._require_statistics()
        checks.require(
            self.bands is None
            or self._is_one_each(self.bands)
            and all(checks.is_text(band, _MAX_TEXT) for band in self.bands),
            "input.bands",
            "a name for each channel, or null",
            self.bands,
        )
        checks.require(
            isinstance(self.crop, dict)
            and len(self.crop) <= _MAX_OPTIONS
            and checks.is_text(self.crop.get("name"), _MAX_TEXT)
            and all(
                checks.is_number(value)
                for name, value in self.crop.items()
                if name != "name"
            ),
            "input.crop",
            "an object with a `name` and numbers",
            self.crop,
        )
        fraction = self.crop.get("crop_fraction", 1)
        checks.require(
            _LEAST_CROP_FRACTION <= fraction <= 1,
            "input.crop.crop_fraction",
            f"from {_LEAST_CROP_FRACTION} to 1",
            fraction,
        )

    def require_channels(self, channels: int) -> None:
        """Refuses to prepare images for a model of other channels.

        Raises:
            ValueError: `channels`, the model's, are not as many.
        """
        checks.require(
            self.channels == channels,
            "input.channels",
            f"{channels}, as of the run's model",
            self.channels,
        )

    def _is_one_each(self, values):
        return isinstance(values, tuple) and len(values) == self.channels

    def _require_statistics(self):
        for name in ("mean", "std"):
            values = getattr(self, name)
            checks.require(
                values is None
                or self._is_one_each(values)
                and all(map(checks.is_number, values))
                and (name == "mean" or min(values) > 0),
                f"input.{name}",
                f"{self.channels} numbers, one for each channel"
                f"{'' if name == 'mean' else ', above 0'}; or null",
                values,
            )


def describe_crop(crop) -> dict:
    """Returns what `InputRecord.crop` says of a crop.

    Args:
        crop: `data.ResizeAndCentreCrop`, `data.EvaluationCrop` or another
            callable with `image_size`.
    """
    described = {"name": type(crop).__name__}
    if hasattr(crop, "crop_fraction"):
        described["crop_fraction"] = crop.crop_fraction
    return described


def _is_pair(value):
    return isinstance(value, tuple) and len(value) == 2

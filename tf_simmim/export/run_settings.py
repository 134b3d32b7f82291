"""What a run's flags.txt says that its model does not know."""

import re

from tf_simmim import data
from tf_simmim import models
from tf_simmim.data import normalization

_CROP_FRACTION = 224 / 256  # of `data.EvaluationCrop`


def read_normalization(run, channels: int) -> data.Normalization:
    """Returns the normalisation that a run was trained with.

    Args:
        run: `training.RunDirectory`.
        channels: int, of the model.

    Returns:
        `data.Normalization`; where flags.txt does not say, that of natural
        images.

    Raises:
        ValueError: flags.txt has no numbers where it has to.
    """
    mean, std = normalization.default_statistics(channels)
    return data.Normalization(
        mean=read_numbers(run, "image_mean", mean),
        std=read_numbers(run, "image_std", std),
    )


def read_crop(run, model):
    """Returns what the held-out images of a run went through.

    Args:
        run: `training.RunDirectory`.
        model: its model.

    Returns:
        `data.EvaluationCrop` for `models.Classifier`, `data.
        ResizeAndCentreCrop` for all others, of the size that the model has
        at present.

    Raises:
        ValueError: as `read_normalization`.
    """
    image_size = model.backbone.image_size
    if not isinstance(model, models.Classifier):
        return data.ResizeAndCentreCrop(image_size)
    (fraction,) = read_numbers(run, "crop_fraction", (_CROP_FRACTION,))
    return data.EvaluationCrop(image_size, fraction)


def read_numbers(run, name: str, default: tuple) -> tuple:
    """Returns the numbers of a flag of a run.

    Args:
        run: `training.RunDirectory`.
        name: str.
        default: tuple of float. For a run that does not say; the flag must
            have as many numbers.

    Raises:
        ValueError: it has not.
    """
    text = ""
    if run.flags_file.is_file():
        text = run.flags_file.read_text(encoding="utf-8", errors="replace")
    found = re.findall(rf"^--{name}=(.*)$", text, re.MULTILINE)
    if not found:
        return tuple(default)
    try:
        numbers = tuple(float(number) for number in found[-1].split(","))
    except ValueError:
        numbers = ()
    if len(numbers) != len(default):
        raise ValueError(
            f"The run's flags.txt must have {len(default)} numbers for "
            f"--{name}. Received: {found[-1]}."
        )
    return numbers

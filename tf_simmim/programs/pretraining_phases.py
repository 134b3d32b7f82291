"""The phases of a pretraining run: the model of each, and whether it fits."""

import dataclasses

from tf_simmim import convert
from tf_simmim.programs.flags import prediction_flags


def create_simmim(phase, channels, seed):
    """Returns the model of a phase, with fresh weights."""
    return prediction_flags.create_simmim(
        phase.image_size,
        channels,
        seed,
        phase.mask_ratio,
        phase.mask_patch_size,
    )


def require_possible(phases, channels, seed) -> None:
    """Refuses a curriculum with a phase that could not be trained.

    Each phase's model is built once, and takes the weights of the one before
    it. (Of a single phase, the run's own model says what is wrong.)

    Raises:
        ValueError: a size does not fit; the message names the phase.
    """
    if len(phases) == 1:
        return
    before = None
    for number, phase in enumerate(phases):
        try:
            model = create_simmim(phase, channels, seed)
            if before is not None:
                convert.transfer_weights(before.backbone, model.backbone)
        except ValueError as error:
            raise ValueError(
                f"Phase {number + 1} of {len(phases)}, {phase}, must be "
                f"one that can be trained. {error}"
            ) from error
        before = model


def describe(phases, number) -> dict:
    """Returns what the manifest of a checkpoint says of its phase."""
    return {"number": number, **dataclasses.asdict(phases[number])}

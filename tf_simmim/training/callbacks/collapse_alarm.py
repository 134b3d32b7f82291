"""An alarm for runs that only ever learn a single colour.

Dimension key:
  B: batch   H W: image, px   C: channels   P: model patch, px
  h w: grid of model patches = H/P, W/P
"""

import numpy as np
from absl import logging

from tf_simmim import masking
from tf_simmim.run import json_lines
from tf_simmim.training.callbacks.step_callback import StepCallback


def single_colour_loss(elements) -> float:
    """Returns the masked L1 loss of the best single colour.

    With c the median of each channel over all hidden pixels, which is the
    constant of the smallest L1 error, and m the mask on pixels:

        loss = sum(m * |x - c|) / sum(m) / C

    A model that looks at nothing reaches it, so it is the level to beat.

    Args:
        elements: dict with `image` float [B, H, W, C], normalised, and
            `patch_mask` int or bool [B, h, w], 1 = hidden. A few hundred
            images from all over the data set.

    Returns:
        float, in the units of the images.

    Raises:
        ValueError: the masks hide nothing.
    """
    images = np.asarray(elements["image"], np.float64)
    patch_mask = np.asarray(elements["patch_mask"], np.int32)
    patch_size = images.shape[1] // patch_mask.shape[1]
    pixel_mask = masking.to_pixel_mask(patch_mask, patch_size).numpy()
    hidden = images[pixel_mask == 1]  # [number of hidden pixels, C]
    if not len(hidden):
        raise ValueError(
            "`elements` must have hidden patches. Received: a `patch_mask` of "
            "zeros."
        )
    return float(np.mean(np.abs(hidden - np.median(hidden, axis=0))))


class CollapseAlarm(StepCallback):
    """Logs one warning when the loss stays at the level of a single colour.

    Every run starts there, so the alarm waits for `patience_steps` in a row.
    It means something only for the L1 loss on plain pixels. A run that goes
    on in a new process is read up in `metrics_file`, so that neither the
    waiting nor the warning begins again.

    Args:
        level: float > 0. From `single_colour_loss`, of a sample.
        every_steps: int >= 1. How often to look; the logging interval, so
            that the loss is a mean over all of it.
        patience_steps: int. For how long the loss has to stay there. Longer
            than warm-up; ten logging intervals at least.
        tolerance: float in [0, 1). The loss counts as being there from
            `(1 - tolerance) * level` upwards.
        metrics_file: path of metrics.jsonl, its `JsonLines`, or None to count
            from zero.
        first_step: int >= 0. Rows up to this step do not count: their images
            or masks were others, and so was their level.

    Raises:
        ValueError: `level` is not positive.
    """

    def __init__(
        self,
        level,
        every_steps,
        patience_steps,
        tolerance=0.03,
        metrics_file=None,
        first_step=0,
    ):
        super().__init__(every_steps)
        if not level > 0:
            raise ValueError(f"`level` must be positive. Received: {level}.")
        self.level = level
        self.patience_steps = patience_steps
        self.tolerance = tolerance
        self.metrics_file = metrics_file
        self.first_step = first_step
        self._steps_at_level = 0
        self._has_fired = False

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        if self.metrics_file is None:
            return
        self._steps_at_level, self._has_fired = 0, False
        for row in json_lines.JsonLines.of(self.metrics_file).rows(self.step):
            is_due = row["step"] % self.every_steps == 0
            if is_due and row["step"] > self.first_step:
                self._fires(row.get("loss"))

    def at_step(self, step, logs):
        if self._fires(logs["loss"]):
            logging.warning(
                "Step %d: for %d steps the loss (%.4f) has been at the level "
                "of predicting one colour everywhere (%.4f): the model does "
                "not look at the visible patches. Likely causes: a learning "
                "rate that is too high or a warm-up that is too short, too "
                "large a mask ratio, or images that are all alike. Try a "
                "third of the learning rate first.",
                step,
                self._steps_at_level,
                logs["loss"],
                self.level,
            )

    def _fires(self, loss):
        """Counts one interval, and tells whether it is the one to report."""
        # A loss that is not a number, null in the file, is not there.
        is_there = (
            loss is not None and loss >= (1 - self.tolerance) * self.level
        )
        steps = self._steps_at_level + self.every_steps
        self._steps_at_level = steps if is_there else 0
        fires = (
            not self._has_fired and self._steps_at_level >= self.patience_steps
        )
        self._has_fired |= fires
        return fires

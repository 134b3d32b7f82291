"""Reports steps that were skipped, and stops a run that has too many."""

import numpy as np
import tensorflow as tf
from absl import logging

from tf_simmim.run import json_lines
from tf_simmim.run.dispensable import going_on_without
from tf_simmim.training.errors import NonFiniteStepsError

# Steps in a row, and the share of all steps, that a run is given up after.
_MAX_IN_A_ROW = 5
_MAX_SHARE = 0.001
# Images that a line of the log has room for.
_NUM_SHOWN = 8


class NonFiniteWatch(tf.keras.callbacks.Callback):
    """Logs every step whose loss or gradient was not finite.

    Such a step changes nothing but the counters (`optimization.
    apply_if_finite`). Here it gets a line in the log and a row in a file:
    `step` (steps taken when it was over), `indices` (places in the source of
    the images it saw, of all workers) and `non_finite_images` (those of them
    that hold such numbers themselves, after augmentation and normalisation).
    The images are read once more for that; the stream makes the same again.

    After five such steps in a row, or when they are 0.1 % of the run's steps
    (five at least), `fit` ends; the error is raised when it does, so that
    `Checkpointing` saves first. A run that is continued goes on counting.

    Put this callback after `Checkpointing`: callbacks behind it are not told
    when `fit` ends with the error.

    Args:
        file: path of skipped_steps.jsonl, or the `JsonLines` of it; None to
            report nothing, on a worker that only has to stop when the others
            do.
        stream: `data.ImageStream` that the run trains on.
        images_per_step: int. The global batch size.
        total_steps: int. Steps of the whole run.

    Raises:
        NonFiniteStepsError: from `fit`, as said above.

    Files: owns `file`, which exists once a step was skipped.
    """

    def __init__(self, file, stream, images_per_step, total_steps):
        super().__init__()
        self._file = file and json_lines.JsonLines.of(file)
        self.stream = stream
        self.images_per_step = images_per_step
        self.max_skipped = max(_MAX_IN_A_ROW, int(_MAX_SHARE * total_steps))
        self._num_reported = 0
        self._error = None

    def on_train_begin(self, logs=None):
        self._error = None
        self._num_reported = 0
        if self._file and self._file.has_any():
            step = int(self.model.optimizer.iterations.numpy())
            self._file.restart(step)
            self._num_reported = len(self._file.rows(step))
        # A process may have been killed between a checkpoint and its rows.
        self._report_new()

    def on_train_batch_end(self, batch, logs=None):
        # A number that is there already: looking at the model's own counters
        # would make every step wait for the device.
        if logs["skipped_steps"] == self._num_reported:
            return
        self._report_new()
        in_a_row = self.model.skipped_steps.count_in_a_row()
        if in_a_row >= _MAX_IN_A_ROW or self._num_reported >= self.max_skipped:
            self._error = NonFiniteStepsError(
                int(self.model.optimizer.iterations.numpy()),
                self._num_reported,
                in_a_row,
            )
            self.model.stop_training = True

    def on_train_end(self, logs=None):
        if self._error is not None:
            raise self._error

    def _report_new(self):
        skipped = self.model.skipped_steps
        if self._file:
            for step in skipped.steps(since=self._num_reported):
                with going_on_without(f"the images of skipped step {step}"):
                    self._report(step)
        self._num_reported = skipped.count()

    def _report(self, step):
        indices, bad, has_labels = self._images_of(step)
        logging.error(
            "Step %d was skipped: its loss or its gradient was not finite. "
            "Its images have the indices %s; with such numbers in the image "
            "itself: %s.%s",
            step,
            _shortened(indices),
            _shortened(bad) or "none",
            ""
            if bad or not has_labels
            else " Or a label of theirs is no class.",
        )
        self._file.append(
            {"step": step, "indices": indices, "non_finite_images": bad}
        )

    def _images_of(self, step):
        stop = step * self.images_per_step
        batches = self.stream.batches(
            self.images_per_step, stop - self.images_per_step, stop
        )
        element = next(iter(batches))
        finite = np.isfinite(element["image"].numpy()).all(axis=(1, 2, 3))
        indices = element["index"].numpy()
        return indices.tolist(), indices[~finite].tolist(), "label" in element


def _shortened(indices):
    shown = ", ".join(map(str, indices[:_NUM_SHOWN]))
    return shown + (", ..." if len(indices) > _NUM_SHOWN else "")

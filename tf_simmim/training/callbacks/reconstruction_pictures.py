"""Pictures of what the model makes of a few fixed images, while it learns."""

from pathlib import Path

import tensorflow as tf

from tf_simmim import visualization
from tf_simmim.run.dispensable import going_on_without
from tf_simmim.training.callbacks.step_callback import StepCallback


class ReconstructionPictures(StepCallback):
    """Writes `step-00000123.png` grids and the same pictures to TensorBoard.

    Args:
        elements: dict with `image` float32 [B, H, W, C], normalised, and
            `patch_mask` int32 [B, h, w], 1 = hidden. The same images and
            masks every time, so that pictures can be compared.
        normalization: the run's `data.Normalization`.
        directory: path of the folder for the PNG files.
        every_steps: int >= 1.
        last_step: int. Step at which the run is over; it gets a picture too.
        summary_writer: tf.summary.SummaryWriter or None (no TensorBoard).
    """

    def __init__(
        self,
        elements,
        normalization,
        directory,
        every_steps,
        last_step,
        summary_writer=None,
    ):
        super().__init__(every_steps, last_step)
        self.images = tf.convert_to_tensor(elements["image"])
        self.patch_mask = tf.convert_to_tensor(elements["patch_mask"])
        self.normalization = normalization
        self.directory = Path(directory)
        self.summary_writer = summary_writer

    def at_step(self, step, logs):
        result = self.model.reconstruct(self.images, self.patch_mask)
        picture = visualization.reconstruction_grid(
            self.images,
            self.patch_mask,
            result["reconstruction"],
            self.normalization,
        )
        path = self.directory / f"step-{step:08d}.png"
        with going_on_without(str(path)):
            # Somebody may have tidied up meanwhile.
            self.directory.mkdir(parents=True, exist_ok=True)
            visualization.write_png(path, picture)
        if self.summary_writer is None:
            return
        with going_on_without(f"picture {step} for TensorBoard"):
            with self.summary_writer.as_default(step=step):
                tf.summary.image("reconstructions", picture[tf.newaxis])
            self.summary_writer.flush()

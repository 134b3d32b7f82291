"""What one kind of training does, and the others do not."""

import dataclasses
import types

from tf_simmim import data
from tf_simmim.programs.flags import compute_flags
from tf_simmim.programs.flags import data_flags
from tf_simmim.programs.flags import input_flags
from tf_simmim.programs.flags import optimization_flags
from tf_simmim.programs.flags import run_flags
from tf_simmim.programs.flags import source_flags
from tf_simmim.programs.flags import strategy_flags


@dataclasses.dataclass(frozen=True)
class WholeRun:
    """The only phase of a run in which nothing changes.

    Attributes:
        first_step: int. Steps taken when it begins: none.
    """

    first_step: int = 0


class Task:
    """One kind of training, for `train.launch`.

    A program says which model it trains (`create_model`), and overrides what
    else its kind does differently. The rest is what every run does: it locks
    its folder, goes on from its last checkpoint, trains, writes metrics and
    checkpoints, and stops when it is told to.

    Attributes:
        run_kind: str. What run.json calls it.
        uses_labels: bool. Whether it learns from labels.
        flag_groups: tuple of modules. Each defines a group of flags; together
            they are those that the program takes, and the settings of a run.
        flag_defaults: dict {name of a flag: its default in this program}.
        demo: str or None. Flagfile for a command line without flags.
        results: tuple of str. Files that `finish` leaves in the run's folder.
    """

    run_kind: str = "training"
    uses_labels: bool = False
    flag_groups: tuple[types.ModuleType, ...] = (
        compute_flags,
        data_flags,
        input_flags,
        optimization_flags,
        run_flags,
        source_flags,
        strategy_flags,
    )
    flag_defaults: dict = {}
    demo: str | None = None
    results: tuple[str, ...] = ()

    def open_sources(self):
        """Opens the images of a run.

        Returns:
            (`data.Source` to train on, `data.Source` to be judged by or None).

        Raises:
            ValueError: this kind of training cannot use them.
        """
        return data_flags.open_source(), data_flags.open_validation_source()

    def normalization(self, source):
        """Returns the `data.Normalization` of a run's images.

        Args:
            source: `data.Source` to train on.
        """
        return input_flags.normalization(source)

    def create_phases(self, num_images):
        """Returns the phases of a run: objects with a `first_step`.

        Each has a model of its own, which takes over what the one before has
        learned. By default there is one.

        Args:
            num_images: int. Images to train on.
        """
        return (WholeRun(),)

    def require_possible(self, context):
        """Refuses, before anything is made, what could not be trained.

        Args:
            context: `RunContext`.

        Raises:
            ValueError: it cannot be.
        """

    def load_pretrained(self):
        """Returns the backbone that a new run begins with, or None."""
        return None

    def create_model(self, context, phase, pretrained):
        """Creates the model of a phase, in the scope of the strategy.

        Args:
            context: `RunContext`.
            phase: one of `context.phases`.
            pretrained: what `load_pretrained` returned; None for a run that
                goes on and for later phases, which take weights otherwise.

        Returns:
            `models.ScalableModel`, not compiled.
        """
        raise NotImplementedError

    def optimizer_options(self):
        """Returns a dict, more for `optimization.create_optimizer`."""
        return {}

    def training_stream(self, context, phase, model):
        """Returns the `data.ImageStream` of a phase, augmented and shuffled.

        Args:
            context: `RunContext`.
            phase: one of `context.phases`.
            model: from `create_model`.
        """
        return input_flags.training_stream(
            context.source, context.normalization, seed=context.seed
        )

    def evaluation_crop(self, image_size):
        """Returns what held-out images go through, as of `run.InputRecord`.

        Args:
            image_size: (height, width), px.
        """
        return data.ResizeAndCentreCrop(image_size)

    def batch_mix(self, context):
        """Returns what is done to batches, as of `data.distributed_batches`.

        Args:
            context: `RunContext`.
        """
        return None

    def evaluation_stream(self, context, phase, model):
        """Returns the `data.ImageStream` of held-out images.

        It is asked for where there are any.

        Args:
            context: `RunContext`.
            phase: one of `context.phases`.
            model: from `create_model`.
        """
        return input_flags.evaluation_stream(
            context.held_out, context.normalization, seed=context.seed
        )

    def checkpoint_metadata(self, context, number):
        """Returns a dict, more for the manifests of checkpoints.

        Args:
            context: `RunContext`.
            number: int. Of the phase, from 0.
        """
        return {}

    def online_evaluation(self, context, stage):
        """Returns a `callbacks.OnlineEvaluation`, or None for none.

        Args:
            context: `RunContext`.
            stage: `Stage`.
        """
        return None

    def display_callbacks(self, context, stage, summaries):
        """Returns callbacks that show something before metrics are reset.

        On the chief alone; a run goes on without one that fails.

        Args:
            context: `RunContext`.
            stage: `Stage`.
            summaries: tf.summary.SummaryWriter.
        """
        return []

    def alarm_callbacks(self, context, stage):
        """Returns callbacks that read the rows of metrics, and warn.

        On the chief alone; a run goes on without one that fails.

        Args:
            context: `RunContext`.
            stage: `Stage`.
        """
        return []

    def finish(self, context, stage):
        """Judges a run that has taken all its steps, and leaves `results`.

        All workers call it; the chief writes.

        Args:
            context: `RunContext`.
            stage: `Stage`, the last.
        """

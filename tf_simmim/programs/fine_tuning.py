"""What all training that begins with a pretrained backbone does alike."""

import pathlib

from absl import logging

from tf_simmim import convert
from tf_simmim import run
from tf_simmim import training
from tf_simmim.programs import settings_before
from tf_simmim.programs import task
from tf_simmim.programs.flags import backbone_flags
from tf_simmim.programs.flags import finetune_flags
from tf_simmim.programs.flags import input_flags
from tf_simmim.programs.flags import run_flags
from tf_simmim.run import settings


class FineTuning(task.Task):
    """Training with labels, from the weights of --pretrained.

    The defaults are the reference's recipe, as far as it is one for all
    networks.
    """

    uses_labels = True
    flag_groups = (*task.Task.flag_groups, backbone_flags, finetune_flags)
    flag_defaults = {
        "name": "finetune",
        "crop_scale": "0.08,1",
        "drop_path_rate": 0.1,
        "base_learning_rate": 1.25e-3,
        "warmup_learning_rate": 2.5e-7,
        "min_learning_rate": 2.5e-7,
        "warmup_epochs": 20.0,
    }

    def normalization(self, source):
        return input_flags.normalization(source, *_statistics())

    def load_pretrained(self):
        """Loads the backbone of --pretrained, or returns None for none.

        Raises:
            ValueError, NoValidCheckpointError: it is not the folder of a run.
        """
        path = finetune_flags.PRETRAINED.value
        if not path:
            return None
        if pathlib.Path(path).is_file():
            raise ValueError(
                "--pretrained must be the folder of a run of pretrain.py, or "
                "one that convert_weights.py makes of a file of weights. "
                f"Received a file: {path}."
            )
        return training.load_pretrained(path).backbone

    def optimizer_options(self):
        layer_decay = finetune_flags.LAYER_DECAY.value
        return {
            "layer_decay": layer_decay if layer_decay < 1 else None,
            "ema_momentum": finetune_flags.EMA_MOMENTUM.value or None,
        }


def transfer(pretrained, backbone):
    """Gives a backbone the weights of --pretrained.

    Raises:
        ValueError: `pretrained` is another network.
    """
    path = finetune_flags.PRETRAINED.value
    if pretrained.channels != backbone.channels:
        raise ValueError(
            f"--channels must be {pretrained.channels}, as of the images that "
            f"{path} was pretrained on; then images are decoded so. Received: "
            f"images of {backbone.channels}."
        )
    try:
        report = convert.transfer_weights(pretrained, backbone)
    except ValueError as error:
        told = settings_before.read(path) or {}
        if "backbone" not in told:
            told = pretrained.get_config()
        theirs = [
            f"--{name}={settings.as_text(told[name])}"
            for name in backbone_flags.ARCHITECTURE_NAMES
            if name in told
        ]
        raise ValueError(
            "The flags must describe the network of --pretrained, which has "
            f"{' '.join(theirs)}. {error}"
        ) from error
    logging.info("From %s: %s", path, report.summary())


def _statistics():
    """Returns mean and deviation of --pretrained, for images to learn from.

    Or those of the run that goes on, since --pretrained may have gone.

    Returns:
        (sequence of float, or None; the same): None where flags say, or where
        nothing is known.

    Raises:
        ValueError: as `run.read_record`.
    """
    pretrained = finetune_flags.PRETRAINED.value
    if pretrained and not input_flags.statistics_are_given():
        for folder in (run_flags.run_path(), pretrained):
            before = settings_before.read(folder)
            if before is not None:
                return _statistics_of(folder, before)
    return None, None


def _statistics_of(folder, before):
    """Returns mean and deviation of a run.

    As its settings say them, or else its record: of weights that were
    converted, or of a run of another program.
    """
    try:
        return tuple(
            [float(text) for text in settings.as_text(before[name]).split(",")]
            for name in ("image_mean", "image_std")
        )
    except (KeyError, ValueError):
        told = run.read_record(folder).input
        return told.mean, told.std

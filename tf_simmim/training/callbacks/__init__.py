"""Keras callbacks, all driven by optimizer steps rather than epochs."""

from tf_simmim.training.callbacks.checkpointing import Checkpointing
from tf_simmim.training.callbacks.collapse_alarm import CollapseAlarm
from tf_simmim.training.callbacks.collapse_alarm import single_colour_loss
from tf_simmim.training.callbacks.dispensable import Dispensable
from tf_simmim.training.callbacks.graceful_stop import GracefulStop
from tf_simmim.training.callbacks.metrics_log import MetricsLog
from tf_simmim.training.callbacks.non_finite_watch import NonFiniteWatch
from tf_simmim.training.callbacks.online_evaluation import OnlineEvaluation
from tf_simmim.training.callbacks.online_evaluation import spread_blocks
from tf_simmim.training.callbacks.overfitting_alarm import OverfittingAlarm
from tf_simmim.training.callbacks.reconstruction_pictures import (
    ReconstructionPictures,
)
from tf_simmim.training.callbacks.step_callback import StepCallback
from tf_simmim.training.callbacks.weights_and_biases import wandb_callback

__all__ = [
    "Checkpointing",
    "CollapseAlarm",
    "Dispensable",
    "GracefulStop",
    "MetricsLog",
    "NonFiniteWatch",
    "OnlineEvaluation",
    "OverfittingAlarm",
    "ProgressBar",
    "ReconstructionPictures",
    "StepCallback",
    "single_colour_loss",
    "spread_blocks",
    "wandb_callback",
]


def __getattr__(name):
    if name != "ProgressBar":
        raise AttributeError(f"{__name__!r} has no attribute {name!r}.")
    # Imported here: its parent class is of tensorflow-addons, which is slow to
    # import, and no other callback needs it.
    from tf_simmim.training.callbacks.progress_bar import ProgressBar

    return ProgressBar

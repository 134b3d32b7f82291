"""What the parts of a training run hand around."""

import dataclasses

import tensorflow as tf

from tf_simmim import data
from tf_simmim import training
from tf_simmim.programs import open_streams


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunContext:
    """A training run: what stays as it is from its first step to its last.

    Attributes:
        strategy: tf.distribute.Strategy.
        workers: `training.Workers`.
        streams: `open_streams.OpenStreams`, all that the run reads.
        source: `data.Source` to train on.
        held_out: `data.Source` to be judged by, or None.
        normalization: `data.Normalization` of the images.
        decided: dict, as of `input_flags.decided`.
        seed: int.
        batch_size: int. Images of a step, on all replicas.
        schedule: learning-rate schedule.
        total_steps: int.
        phases: tuple of what `Task.create_phases` returns.
        directory: `training.RunDirectory`; None until it is open.
        store: `training.SharedCheckpointStore`; None until it is open.
    """

    strategy: tf.distribute.Strategy
    workers: training.Workers
    streams: open_streams.OpenStreams
    source: data.Source
    held_out: data.Source | None
    normalization: data.Normalization
    decided: dict
    seed: int
    batch_size: int
    schedule: tf.keras.optimizers.schedules.LearningRateSchedule
    total_steps: int
    phases: tuple
    directory: training.RunDirectory | None = None
    store: training.SharedCheckpointStore | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stage:
    """One phase of a run, ready to be trained or judged.

    Attributes:
        number: int, from 0. Which of `RunContext.phases`.
        phase: that phase.
        start_step: int. Steps taken so far.
        checkpoint: tf.train.Checkpoint of `model` and `optimizer`.
        stream: `data.ImageStream` to train on.
        held_out: `data.ImageStream` to be judged by, or None.
    """

    number: int
    phase: object
    start_step: int
    checkpoint: tf.train.Checkpoint
    stream: data.ImageStream
    held_out: data.ImageStream | None

    @property
    def model(self):
        """The model of the checkpoint."""
        return self.checkpoint.model

"""Measures input and steps, apart and together, on the machine at hand."""

import dataclasses
import itertools
import time

import tensorflow as tf
import tqdm

# The first ones compile and fill buffers.
_WARMUP_STEPS = 2
_MIN_STEPS = 3


@dataclasses.dataclass(frozen=True)
class Speed:
    """Images a second.

    Attributes:
        input_alone: float. Reading, decoding, augmenting.
        step_alone: float. Training steps on one batch, again and again.
        together: float. Training steps on what is read meanwhile.
        num_steps: int. Steps that the last is the mean of.
        batch_size: int. Images of a step.
    """

    input_alone: float
    step_alone: float
    together: float
    num_steps: int
    batch_size: int


def measure(model, batches, batch_size: int, seconds: float) -> Speed:
    """Measures how fast a model trains on batches.

    The model is trained a little by it.

    Args:
        model: compiled `models.SimMIM`.
        batches: endless data set of elements.
        batch_size: int. Images of a batch.
        seconds: float. Time for each of three measurements; more where three
            steps take longer.
    """
    step = tf.function(model.train_step)
    one_batch = next(iter(batches))
    rates, num_steps = [], 0
    # First the step, so that no input is read ahead beside it.
    for name, data, work in (
        ("step", itertools.repeat(one_batch), step),
        ("input", batches, lambda batch: batch["index"]),
        ("both", batches, step),
    ):
        seconds_per_step, num_steps = _time(name, iter(data), work, seconds)
        rates.append(batch_size / seconds_per_step)
    step_alone, input_alone, together = rates
    return Speed(input_alone, step_alone, together, num_steps, batch_size)


def _time(name, data, work, seconds):
    """Returns (seconds per batch, number of batches)."""
    for _ in range(_WARMUP_STEPS):
        _wait_for(work(next(data)))
    began = time.perf_counter()
    spent, count = 0.0, 0
    with tqdm.tqdm(
        desc=f"Measuring {name}", total=round(seconds), unit="s", leave=False
    ) as bar:
        while spent < seconds or count < _MIN_STEPS:
            _wait_for(work(next(data)))
            count += 1
            spent = time.perf_counter() - began
            bar.update(min(round(spent), bar.total) - bar.n)
    return spent / count, count


def _wait_for(result):
    tf.nest.map_structure(lambda tensor: tensor.numpy(), result)

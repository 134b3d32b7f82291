"""The model of a run, with what it has learned."""

import json
from pathlib import Path

import tensorflow as tf

from tf_simmim import models
from tf_simmim.training import checkpoints
from tf_simmim.training import run_directory


def load_pretrained(path) -> models.SimMIM:
    """Returns the model of a run, with the weights of its last checkpoint.

    `load_pretrained("runs/demo").backbone` is what one pretrains for.

    Args:
        path: path of a run directory.

    Returns:
        models.SimMIM, not compiled.

    Raises:
        ValueError: it is not the folder of a run.
        NoValidCheckpointError: there is no checkpoint, or all are damaged.
    """
    if not (Path(path) / "model.json").is_file():
        raise ValueError(
            "`path` must be the folder of a run, with a model.json. "
            f"Received: {path}."
        )
    run = run_directory.RunDirectory(path)
    config = json.loads(run.model_file.read_text(encoding="utf-8"))
    model = models.SimMIM.from_config(config)
    store = checkpoints.CheckpointStore(run.checkpoints)
    store.restore(tf.train.Checkpoint(model=model), set_aside=False)
    return model

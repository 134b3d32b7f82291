"""What segment.py leaves behind: scores for each class, and a picture."""

import json

import numpy as np

from tf_simmim import atomic_file
from tf_simmim import evaluation
from tf_simmim import optimization
from tf_simmim import training
from tf_simmim import visualization
from tf_simmim.programs.flags import dense_flags
from tf_simmim.programs.flags import input_flags


def write(context, stage, scores):
    """Writes evaluation.json and predictions.png, and prints the scores.

    Args:
        context: `RunContext`. All workers call this, the chief writes.
        stage: `Stage` of a `models.Segmenter` that has just been evaluated.
        scores: dict. What the evaluation returned: its loss, and more.
    """
    model, held_out = stage.model, stage.held_out
    class_names = held_out.source.segmentation_class_names
    # The sum of all workers, for which all of them have to ask.
    counts = model.scores.counts()
    if not context.workers.is_chief:
        return
    report = evaluation.SegmentationReport(class_names, counts)
    step = int(model.optimizer.iterations.numpy())
    results = {"step": step, "loss": float(scores["loss"]), **report.to_json()}
    # One line for each entry: a matrix would fill thousands.
    lines = [f'  "{k}": {json.dumps(v)}' for k, v in results.items()]
    with atomic_file.replacing(
        context.directory.path / "evaluation.json"
    ) as file:
        file.write(("{\n" + ",\n".join(lines) + "\n}\n").encode())

    num_drawn = min(dense_flags.NUM_DRAWN.value, len(held_out.source))
    shown = input_flags.first_elements(held_out, num_drawn)
    with optimization.averaged_weights(model):
        prediction = np.argmax(model(shown["image"], training=False), axis=-1)
    picture = visualization.segmentation_grid(
        held_out.normalization.denormalize(shown["image"]),
        shown["segmentation"],
        prediction,
        class_names,
    )
    file = context.directory.path / "predictions.png"
    with training.going_on_without(str(file)):
        visualization.write_png(file, picture)
    print(
        f"\n{len(held_out.source)} held-out images at step {step}: "
        f"{report.summary()}\n\n{report.table()}\n\n"
        f"Predictions: {context.directory.path / 'predictions.png'}"
    )

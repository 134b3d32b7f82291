"""What detect.py leaves behind: scores for each class, and a picture."""

import json

import numpy as np
import tensorflow as tf

from tf_simmim import atomic_file
from tf_simmim import evaluation
from tf_simmim import optimization
from tf_simmim import training
from tf_simmim import visualization
from tf_simmim.programs.flags import dense_flags
from tf_simmim.programs.flags import detect_flags
from tf_simmim.programs.flags import input_flags
from tf_simmim.programs.flags import optimization_flags

_TRUTH = ("boxes", "box_classes")
_FOUND = ("boxes", "classes", "confidence")


def write(context, stage, scores):
    """Writes detection.json and predictions.png, and prints the scores.

    Args:
        context: `RunContext`. All workers call this, the chief writes.
        stage: `Stage` of a `models.Detector` that has just been evaluated.
        scores: dict. What the evaluation returned: its loss, and more.
    """
    model, held_out = stage.model, stage.held_out
    class_names = held_out.source.box_class_names
    # By all workers: one that has ended would end the others.
    truth, found = _detect(model, held_out)
    if not context.workers.is_chief:
        return
    report = evaluation.detection_report(truth, found, class_names)
    step = int(model.optimizer.iterations.numpy())
    scores = {name: float(scores[name]) for name in sorted(scores)}
    results = {"step": step, **scores, **report.to_json()}
    with atomic_file.replacing(
        context.directory.path / "detection.json"
    ) as file:
        file.write((json.dumps(results, indent=2) + "\n").encode())

    num_drawn = min(dense_flags.NUM_DRAWN.value, len(found))
    shown = input_flags.first_elements(held_out, num_drawn)
    picture = visualization.detection_grid(
        held_out.normalization.denormalize(shown["image"]),
        *(_stacked(each[:num_drawn]) for each in (truth, found)),
        class_names,
        detect_flags.MIN_CONFIDENCE.value,
    )
    file = context.directory.path / "predictions.png"
    with training.going_on_without(str(file)):
        visualization.write_png(file, picture)
    if not results["num_objects"]:
        print(f"\n{len(found)} held-out images at step {step}, without objects")
        return
    print(
        f"\n{len(found)} held-out images at step {step}: mean average "
        f"precision {results['mean_average_precision']:.4f}, at an overlap of "
        f"a half {results['ap_50']:.4f}\n\n{report.table()}\n\n"
        f"Predictions: {context.directory.path / 'predictions.png'}"
    )


def _detect(model, held_out):
    """Returns what there is in each held-out image, and what is found."""
    batches = input_flags.first_batches(
        held_out,
        optimization_flags.GLOBAL_BATCH_SIZE.value,
        len(held_out.source),
    )
    detect = tf.function(model.detect)
    truth, found = [], []
    with optimization.averaged_weights(model):
        for batch in batches:
            truth += _rows(batch, _TRUTH)
            found += _rows(detect(batch["image"]), _FOUND)
    return truth, found


def _rows(batch, names):
    """Returns a dict of arrays for each image of a batch."""
    columns = [batch[name].numpy() for name in names]
    return [
        dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)
    ]


def _stacked(rows):
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}

"""What a fine-tuned classifier is worth: measured, written, printed."""

import json

from tf_simmim import atomic_file
from tf_simmim import evaluation
from tf_simmim import optimization
from tf_simmim import training
from tf_simmim import visualization
from tf_simmim.programs import run_callbacks


def write(context, stage):
    """Judges a classifier by all held-out images, and leaves what it found.

    In the run's folder: evaluation.json and confusion_matrix.png. Where the
    optimizer keeps averages of the weights, these are judged.

    Args:
        context: `RunContext`. All workers call this, the chief writes.
        stage: `Stage` of a `models.Classifier` with class names.
    """
    model = stage.model
    batches, _ = run_callbacks.validation_batches(
        context.strategy, stage.held_out, len(context.held_out)
    )
    with optimization.averaged_weights(model):
        logits, labels = evaluation.predict_logits(
            model, batches, context.strategy
        )
    if not context.workers.is_chief:
        return
    report = evaluation.classification_report(logits, labels, model.class_names)
    step = int(model.optimizer.iterations.numpy())
    results = {"step": step, **report.to_json()}
    # One line for each entry: a matrix would fill thousands.
    lines = [f'  "{k}": {json.dumps(v)}' for k, v in results.items()]
    with atomic_file.replacing(
        context.directory.path / "evaluation.json"
    ) as file:
        file.write(("{\n" + ",\n".join(lines) + "\n}\n").encode())
    file = context.directory.path / "confusion_matrix.png"
    with training.going_on_without(str(file)):
        picture = visualization.confusion_matrix(
            report.confusion, report.class_names
        )
        visualization.write_png(file, picture)
    top_5 = "" if report.top_5 is None else f", top-5 {report.top_5:.4f}"
    print(
        f"\n{report.num_images} held-out images at step {step}: "
        f"top-1 {report.top_1:.4f}{top_5}\n\n{report.table()}\n\n"
        f"Mistakes: {file}"
    )

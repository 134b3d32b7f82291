"""What an export says of the larger network that it was made from."""

import json
import pathlib

_MANIFEST = "manifest.json"
_MAX_BYTES = 1 << 24
_SCORES = {
    "accuracy": "Accuracy",
    "mean_iou": "Mean IoU",
    "mean_average_precision": "Mean average precision",
    "knn": "k-NN accuracy of features",
    "linear": "Accuracy of a linear probe",
}


def of_export(folder) -> dict | None:
    """Returns what the page shows of a compression.

    Args:
        folder: path of a version.

    Returns:
        dict of `rows`, lists of [what, of the original, of this network], and
        `note`, a sentence that says how the two agree; None where the version
        has no manifest that tells of a compression.
    """
    try:
        file = pathlib.Path(folder) / _MANIFEST
        if file.stat().st_size > _MAX_BYTES:
            return None
        told = json.loads(file.read_text(encoding="utf-8"))["compression"]
        return _described(told)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None


def _described(told):
    pair = (told["original"], told["compressed"])
    rows = []
    for name, title in _SCORES.items():
        if all(name in each["scores"] for each in pair):
            values = [f"{each['scores'][name]:.4f}" for each in pair]
            rows.append([title, *values])
    weights = [f"{each['num_weights']:,}" for each in pair]
    rows.append(["Weights", *weights])
    sizes = [f"{each['num_bytes'] / 1e6:.2f} MB" for each in pair]
    rows.append(["File", *sizes])
    for timed in zip(*(each["latency"] for each in pair), strict=True):
        title = f"Milliseconds, batch of {timed[0]['batch_size']}"
        rows.append([title, *(f"{each['median_ms']:.2f}" for each in timed)])
    found = told["agreement"]
    note = (
        f"KL of {found['of']} from the original's: {found['kl']:.5f}; the "
        f"same best answer for {100 * found['agreement']:.1f} % "
        f"({told['num_images']} images, {told['images']})."
    )
    return {"rows": rows, "note": note}

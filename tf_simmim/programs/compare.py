"""Sets runs of finetune.py side by side.

    python experiments/compare.py runs/demo/finetuned runs/demo/from_scratch

prints how often each is right, with a 95 % interval, and draws how their
held-out accuracy grew. The runs are complete: each has an evaluation.json.
"""

import json
import pathlib

from absl import flags

from tf_simmim import atomic_file
from tf_simmim import evaluation
from tf_simmim import training
from tf_simmim import visualization
from tf_simmim.programs import command_line
from tf_simmim.programs import image_files

_CHART = flags.DEFINE_string(
    "chart", "comparison.png", "Write the chart to this PNG file."
)


@command_line.plain_errors()
def main(argv):
    """Runs the program."""
    if len(argv) == 1:
        raise ValueError("Name the folders of one or more runs of finetune.py.")
    image_files.require_writable(_CHART.value)
    paths = [pathlib.Path(path) for path in argv[1:]]
    results = {str(path): _results(path) for path in paths}
    curves = {str(path): _curve(path, results[str(path)]) for path in paths}
    chart = visualization.accuracy_curves(curves)

    width = max(len("run"), *map(len, results))
    print(f"\n{'run':<{width}}   steps  held-out images  top-1, %")
    for name, found in results.items():
        score = evaluation.Score.from_counts(
            round(found["top_1"] * found["num_images"]), found["num_images"]
        )
        print(
            f"{name:<{width}}  {found['step']:6,}  {found['num_images']:15,}  "
            f"{100 * score.accuracy:8.1f} "
            f"({100 * score.low:.1f} to {100 * score.high:.1f})"
        )
    print(
        "\nIn brackets: what other images would give these networks, at 95 %. "
        "Other seeds\nand recipes: docs/results.md."
    )
    visualization.write_png(_CHART.value, chart)
    print(f"\nPicture: {_CHART.value}")


def _results(path):
    """Returns a run's evaluation.json."""
    file = path / "evaluation.json"
    try:
        results = json.loads(atomic_file.read_bytes(file))
        if not {"step", "top_1", "num_images"} <= results.keys():
            raise ValueError("it is not of finetune.py")
    except (OSError, ValueError, AttributeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ValueError(
            f"{path} must be the folder of a complete run of finetune.py, "
            f"with an evaluation.json. Received: {file}: {reason}."
        ) from error
    return results


def _curve(path, results):
    """Returns [(step, held-out accuracy)] of a run, the final one too."""
    file = training.RunDirectory(path, create=False).metrics_file
    points = {
        row["step"]: row["validation_accuracy"]
        for row in training.JsonLines(file).rows(results["step"])
        if row.get("validation_accuracy") is not None
    }
    # In the end, all held-out images are looked at.
    points[results["step"]] = results["top_1"]
    return sorted(points.items())


def launch(argv):
    """Runs the program, and ends the process.

    Args:
        argv: list of str. The command line, program name first.
    """
    # RUN may stand before, between or after the flags.
    flags.FLAGS.set_gnu_getopt(True)
    command_line.run(main, argv)

"""Tests for programs/compare.py."""

import json

import numpy as np
import pytest
from absl import flags
from absl.testing import flagsaver
from PIL import Image

from tf_simmim.programs import compare

FLAGS = flags.FLAGS


@pytest.fixture(autouse=True)
def saved_flags():
    with flagsaver.flagsaver():
        yield


def write_run(path, top_1, accuracies):
    """Leaves what a run of finetune.py leaves, 10 steps a row."""
    path.mkdir()
    results = {"step": 10 * len(accuracies), "top_1": top_1, "num_images": 40}
    (path / "evaluation.json").write_text(json.dumps(results))
    rows = [
        {"step": 10 * (i + 1), "loss": 1.0, "validation_accuracy": accuracy}
        for i, accuracy in enumerate(accuracies)
    ]
    # A row past the end, of a run that was made longer; and one without.
    rows[0].pop("validation_accuracy")
    rows.append({"step": 1000, "loss": 1.0, "validation_accuracy": 1.0})
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (path / "metrics.jsonl").write_text(lines)
    return path


def run(*arguments):
    FLAGS.unparse_flags()
    # Of other programs, where their tests run in this process.
    required = ["--dataset=builtin:digits"] if "dataset" in FLAGS else []
    compare.main(FLAGS(["compare.py", *required, *map(str, arguments)]))


def test_a_row_for_each_run_with_its_interval(tmp_path, capsys):
    one = write_run(tmp_path / "one", 0.75, [0.1, 0.5, 0.7])
    other = write_run(tmp_path / "other", 0.25, [0.1, 0.2])
    output = tmp_path / "chart.png"
    run(one, other, f"--chart={output}")
    printed = capsys.readouterr().out.splitlines()
    # Wilson's interval of 30 in 40, and of 10 in 40, by hand.
    assert printed[2].split() == [
        *(str(one), "30", "40", "75.0", "(59.8", "to", "85.8)")
    ]
    assert printed[3].split() == [
        *(str(other), "20", "40", "25.0", "(14.2", "to", "40.2)")
    ]
    assert np.asarray(Image.open(output)).std() > 0


def test_a_curve_ends_where_the_run_does(tmp_path):
    path = write_run(tmp_path / "one", 0.75, [0.1, 0.5, 0.7])
    curve = compare._curve(path, compare._results(path))
    assert curve == [(20, 0.5), (30, 0.75)]


@pytest.mark.parametrize(
    "content, message",
    [
        (None, "No such file"),
        ("{", "evaluation.json"),
        ("[]", "evaluation.json"),
        ('{"step": 3}', "not of finetune.py"),
    ],
)
def test_what_is_no_complete_run_is_named(tmp_path, content, message):
    path = tmp_path / "run"
    path.mkdir()
    if content is not None:
        (path / "evaluation.json").write_text(content)
    with pytest.raises(SystemExit, match=f"^Error: {path} must be.*{message}"):
        run(path, f"--chart={tmp_path / 'chart.png'}")


def test_a_command_line_without_runs_says_what_to_name():
    with pytest.raises(SystemExit, match="Name the folders"):
        run()

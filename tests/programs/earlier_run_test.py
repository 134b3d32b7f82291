"""Tests for what programs/earlier_run.py makes of an earlier run.

Whole runs are in tests/integration/faults_test.py.
"""

from unittest import mock

import pytest
from absl import flags
from absl import logging
from absl.testing import flagsaver

from tf_simmim import training
from tf_simmim.programs import earlier_run
from tf_simmim.programs import fitting
from tf_simmim.programs import pretrain  # noqa: F401  (defines the flags)

ROWS = '{"step": 4, "loss": 0.5}\n{"step": 8, "loss": 0.25}\n'


@pytest.fixture
def run(tmp_path):
    with flagsaver.flagsaver():
        flags.FLAGS.unparse_flags()
        flags.FLAGS(
            [
                *("program", "--dataset=builtin:digits"),
                "--checkpoint_every_steps=100",
            ]
        )
        yield training.RunDirectory(tmp_path / "run")


def said(function, *arguments):
    """Returns what a function logs, warnings and errors."""
    with (
        mock.patch.object(logging, "warning") as warning,
        mock.patch.object(logging, "error") as error,
    ):
        function(*arguments)
    calls = [*warning.call_args_list, *error.call_args_list]
    return [call.args[0] % call.args[1:] for call in calls]


def manifest_of(rows):
    file = training.JsonLines(rows)
    return {"step": 8, "metadata": {"metrics": file.summary(8)}}


def test_rows_that_are_not_what_they_were_are_one_line(run):
    file = run.metrics_file
    file.write_text(ROWS)
    manifest = manifest_of(file)
    old = {"step": 8, "metadata": {}}
    half = '{"step": 12, "lo'  # as a kill leaves it
    for text, what in (
        (ROWS, None),
        (ROWS + '{"step": 12}\n' + half, None),
        (ROWS.replace("0.5", "0.4"), "other rows than were written"),
        (ROWS[:25], "1 rows, and 2 were written"),
        (ROWS[:-3], "1 rows, and 2 were written"),
        ("", "0 rows, and 2 were written"),
        (None, "0 rows, and 2 were written"),
        (ROWS + "half\n", "Renamed to corrupt-metrics.jsonl; the 2 rows"),
    ):
        file.unlink()
        if text is not None:
            file.write_text(text)
        lines = said(earlier_run._warn_of_other_rows, run, manifest)
        assert len(lines) == (what is not None), lines
        if what is not None:
            assert what in lines[0] and str(file) in lines[0]
        if not file.exists():
            file.write_text("")
    file.write_text("")
    assert said(earlier_run._warn_of_other_rows, run, old) == []


def test_a_run_that_has_lost_its_checkpoints_does_not_begin_anew(run):
    run.metrics_file.write_text(ROWS)
    earlier_run._require_fresh(run)  # was killed before its first
    run.committed_file.write_text('{"first_checkpoint": 5}\n')
    with pytest.raises(ValueError, match="committed.json.*another --workdir"):
        earlier_run._require_fresh(run)
    run.committed_file.unlink()
    # As of a version without that file.
    run.metrics_file.write_text(ROWS + '{"step": 101}\n')
    with pytest.raises(ValueError, match="metrics up to step 101.*remove this"):
        earlier_run._require_fresh(run)
    # Damaged rows alone keep nobody from beginning.
    run.metrics_file.write_text(ROWS + "half\n")
    (line,) = said(earlier_run._require_fresh, run)
    assert f"{run.metrics_file} is damaged" in line


@pytest.mark.parametrize(
    "error, sentence",
    [
        (MemoryError(), "There is not enough memory (MemoryError)."),
        (OSError(5, "Input/output error"), "[Errno 5] Input/output error."),
        (LookupError("no such key!"), "no such key!"),
    ],
)
def test_an_error_is_one_sentence(error, sentence):
    assert fitting._sentence(error) == sentence

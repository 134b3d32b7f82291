"""Tests for tf_simmim.programs.compression_chain, with steps of no time."""

import dataclasses
import json
import pathlib
import shutil
from unittest import mock

import pytest

from tests.compression import reports
from tf_simmim.compression import narrowing
from tf_simmim.compression import report_file
from tf_simmim.compression.agreement import Agreement
from tf_simmim.programs import compression_chain
from tf_simmim.programs import compression_steps
from tf_simmim.programs import step_report
from tf_simmim.run import lock

RUN = pathlib.Path(__file__).parents[1] / "golden/runs/0.1.0/finetune"


@pytest.fixture
def steps(monkeypatch):
    """Steps `fake kl=... drop=...`, and what they were called with."""
    calls = []

    def run(folder, original, target, options):
        calls.append((folder.name, original.name, options["kl"]))
        target.mkdir()
        (target / "half").write_text("written")
        if options["kl"] == 9.0:
            raise KeyboardInterrupt
        if options["kl"] == 8.0:
            raise FloatingPointError("The logits are not finite.")
        (target / "half").rename(target / "model")
        shutil.copytree(folder / "checkpoints", target / "checkpoints")
        scores = {"accuracy": 0.9639 - options["drop"]}
        report_file.write_report(
            target,
            reports.report(
                agreement=Agreement("predictions", options["kl"], 1.0, None),
                compressed=reports.measurement(
                    scores=scores if options["labels"] else {}
                ),
            ),
        )

    kind = compression_steps.StepKind(
        run,
        {"kl": 0.0, "drop": 0.0, "labels": True},
        check_options=lambda options: None,
        check_model=narrowing.parts_of,
    )
    monkeypatch.setitem(compression_steps.KINDS, "fake", kind)
    return calls


def chain(folder, *lines, run=RUN):
    told = []
    steps = compression_steps.parse_all(lines)
    outcomes = compression_chain.run_chain(run, folder, steps, told.append)
    return outcomes, told


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_each_step_begins_with_what_the_last_one_left(tmp_path, steps):
    outcomes, _ = chain(tmp_path, "fake kl=0.1", "fake kl=0.2")
    assert steps == [("finetune", "finetune", 0.1), ("1-fake", "finetune", 0.2)]
    assert names(tmp_path) == ["1-fake", "2-fake", "chain.json", "lock"]
    assert [each.folder for each in outcomes] == [
        tmp_path / "1-fake",
        tmp_path / "2-fake",
    ]
    assert outcomes[1].report.agreement.kl == 0.2


def test_a_step_that_breaks_its_limit_is_rolled_back_and_named(tmp_path, steps):
    lines = (
        "fake kl=0.1",
        "fake kl=0.2 max_kl=0.15",
        "fake kl=0.3 drop=0.05 max_accuracy_drop=0.04",
        "fake kl=0.4 drop=0.05 max_accuracy_drop=0.05 max_kl=0.5",
        "fake kl=8.0",
    )
    outcomes, told = chain(tmp_path, *lines)
    assert [call[0] for call in steps] == [
        "finetune",
        "1-fake",
        "1-fake",
        "1-fake",
        "4-fake",
    ]
    assert outcomes[1].folder is None and outcomes[2].folder is None
    assert "2-fake: rolled back, as KL 0.20000 exceeds max_kl=0.15." in told
    assert outcomes[2].broken == (
        "as accuracy drops by 0.0500, which exceeds max_accuracy_drop=0.04"
    )
    # 0.9639 - 0.9139 is more than 0.05, by rounding.
    assert outcomes[3].folder == tmp_path / "4-fake"
    assert (outcomes[4].folder, outcomes[4].report) == (None, None)
    assert outcomes[4].broken == (
        "as its numbers are not finite: The logits are not finite"
    )
    # Of what was rolled back there is a report alone.
    assert names(tmp_path / "2-fake.rolled-back") == ["compression.json"]
    # The same again does nothing again.
    again, _ = chain(tmp_path, *lines)
    assert len(steps) == 5
    assert again == outcomes


def test_an_interrupted_chain_goes_on_at_its_step(tmp_path, steps, monkeypatch):
    lines = ("fake kl=0.1", "fake kl=9.0", "fake kl=0.3")
    with pytest.raises(KeyboardInterrupt):
        chain(tmp_path, *lines)
    assert names(tmp_path) == ["1-fake", "chain.json", "lock"]
    # Also where the process had no time to clean up.
    (tmp_path / ".2-fake.1.tmp").mkdir()
    with mock.patch.object(
        compression_steps,
        "KINDS",
        {
            "fake": dataclasses.replace(
                compression_steps.KINDS["fake"],
                run=lambda f, o, t, options: shutil.copytree(f, t),
            )
        },
    ):
        outcomes, told = chain(tmp_path, *lines)
    assert not any("Step 1-fake" in line for line in told)
    assert [each.name for each in outcomes] == ["1-fake", "2-fake", "3-fake"]
    assert names(tmp_path) == [
        "1-fake",
        "2-fake",
        "3-fake",
        "chain.json",
        "lock",
    ]


def test_steps_that_are_done_are_the_same_and_others_may_be_corrected(
    tmp_path, steps
):
    with pytest.raises(KeyboardInterrupt):
        chain(tmp_path, "fake kl=0.1", "fake kl=9.0", "fake kl=0.3")
    outcomes, _ = chain(tmp_path, "fake kl=0.1", "fake kl=0.2 max_kl=0.1")
    assert [call[2] for call in steps] == [0.1, 9.0, 0.2]
    assert outcomes[1].folder is None
    with pytest.raises(
        ValueError,
        match="Step 1 of .* is done, as --step='fake kl=0.1': give it again as "
        "it was, or name another --chain_dir. Received: --step='fake kl=0.2'.$",
    ):
        chain(tmp_path, "fake kl=0.2")
    with pytest.raises(ValueError, match="Step 2 .*Received: no such step.$"):
        chain(tmp_path, "fake kl=0.1")


def test_a_step_that_began_with_something_else_is_refused(tmp_path, steps):
    lines = ("fake kl=0.1", "fake kl=0.2")
    chain(tmp_path, *lines)
    (tmp_path / "1-fake").rename(tmp_path / "before")
    with pytest.raises(ValueError, match="2-fake must have begun with what"):
        chain(tmp_path, *lines)
    # As if it had been made anew.
    shutil.copytree(RUN.parent / "segment", tmp_path / "1-fake")
    with pytest.raises(ValueError, match="2-fake must have begun with what"):
        chain(tmp_path, *lines)
    assert len(steps) == 2
    shutil.rmtree(tmp_path / "1-fake")
    (tmp_path / "before").rename(tmp_path / "1-fake")
    chain(tmp_path, *lines)
    assert len(steps) == 2


def test_a_folder_of_another_chain_is_refused(tmp_path, steps):
    chain(tmp_path, "fake kl=0.1")
    told = json.loads((tmp_path / "chain.json").read_text())
    (tmp_path / "chain.json").write_text(
        json.dumps({**told, "checkpoint": "other"})
    )
    with pytest.raises(ValueError, match="must be of the run as it is now"):
        chain(tmp_path, "fake kl=0.1")
    (tmp_path / "chain.json").write_text("{}")
    with pytest.raises(
        ValueError, match="chain.json that compress.py has writ"
    ):
        chain(tmp_path, "fake kl=0.1")


def test_accuracy_without_labels_cannot_be_limited(tmp_path, steps):
    with pytest.raises(ValueError, match="max_accuracy_drop needs.*labels"):
        chain(tmp_path, "fake labels=false max_accuracy_drop=0.1")
    assert names(tmp_path) == ["chain.json", "lock"]
    unlabelled = mock.Mock(element_spec={"image": None})
    with mock.patch.object(
        compression_chain.step_report,
        "open_images",
        return_value=step_report.Images(unlabelled, "mine, held-out", None),
    ):
        with pytest.raises(ValueError, match="labels. Received: mine, held"):
            chain(tmp_path / "chain", "fake max_accuracy_drop=0.1")
    assert len(steps) == 1
    assert not (tmp_path / "chain").exists()


def test_a_run_that_no_step_can_take_is_refused_and_left_as_it_is(
    tmp_path, steps
):
    run = tmp_path / "run"
    for message in (
        "must be the folder of a run",  # not there
        "must be the folder of a run",  # empty
        "no valid checkpoint|no checkpoint yet",
    ):
        with pytest.raises((ValueError, OSError), match=message):
            chain(run / "compressed", "fake", run=run)
        if run.exists():
            shutil.copy(RUN / "model.json", run)
        else:
            run.mkdir()
    assert names(run) == ["model.json"]
    with (
        mock.patch.object(
            compression_chain.training, "load_pretrained"
        ) as model,
        pytest.raises(ValueError, match="must be a ViT or a Swin"),
    ):
        model().backbone = object()
        chain(tmp_path / "chain", "fake")
    assert not (tmp_path / "chain").exists()
    assert steps == []


def test_a_second_process_in_a_folder_is_told_so(tmp_path, steps):
    with (
        mock.patch.object(lock.fcntl, "flock", side_effect=BlockingIOError),
        pytest.raises(
            ValueError, match="--chain_dir must be .*no other process compr"
        ),
    ):
        chain(tmp_path, "fake")

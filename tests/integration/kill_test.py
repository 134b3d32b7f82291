"""Programs that train under kill -9: nothing is lost, repeated or different."""

import concurrent.futures
import dataclasses
import random
import re
import time

import pytest

from tests.integration import finetune_test
from tests.integration import killing
from tests.integration import segment_test

# Both begin with weights of their own: what they take from another run they
# take before the first step.
JOBS = {
    "finetuning": killing.Job(
        "finetune.py",
        # Their averages have to come back as well.
        (*finetune_test.TINY, "--depth=1", "--ema_momentum=0.9"),
        total_steps=12,
        num_images=40,
        results=("evaluation.json", "confusion_matrix.png"),
    ),
    "segmentation": killing.Job(
        "segment.py",
        segment_test.TINY,
        total_steps=12,
        num_images=4096,
        results=("evaluation.json", "predictions.png"),
    ),
}
# Where a checkpoint becomes one, and where an old one is half removed.
COMMIT = "rename checkpoints/tmp-N"
REMOVAL = "unlink checkpoints/tmp-N/state.index"
# Flushes of folders and of what has been written in one go, and what reads.
UNCHANGING = re.compile(
    r"load_checkpoint |fsync (\.|[a-z]+|checkpoints/tmp-N(/state\..*)?)$"
)


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """An uninterrupted run, and how many seconds it takes."""
    workdir = tmp_path_factory.mktemp("reference")
    began = time.monotonic()
    killing.train_uninterrupted(workdir)
    return workdir, time.monotonic() - began


def kill_each(folder, reference, kills):
    """Returns the kills, and those after which something was wrong."""
    results = list(killing.kill_each(folder, reference, kills))
    return len(results) - 1, [result for result in results if result[1]]


@pytest.mark.slow
def test_a_run_killed_at_a_commit_equals_the_uninterrupted_one(tmp_path):
    job = dataclasses.replace(killing.PRETRAINING, total_steps=5)
    killing.train_uninterrupted(tmp_path / "reference", job)
    run = killing.Run(tmp_path / "killed", tmp_path / "reference", job)
    assert (run.start(f"before {COMMIT} 2"), run.is_complete) == ([], False)
    assert (run.start(), run.is_complete) == ([], True)


@pytest.mark.slow
def test_kills_at_every_operation_on_files_and_at_random_lose_nothing(
    reference, tmp_path
):
    workdir, seconds = reference
    # The third checkpoint was the first to remove an old one.
    watched = killing.Run(tmp_path / "watched", workdir)
    assert watched.start(f"after {COMMIT} 4") == []
    assert not watched.is_complete
    operations = killing.operations(watched.folder)
    assert {COMMIT, REMOVAL, "fsync checkpoints"} <= set(operations)
    # A kill behind what changes no file is one behind what came before it.
    operations = [name for name in operations if not UNCHANGING.match(name)]

    writing = [name for name in operations if name.startswith("write ")]
    assert writing
    kills = [
        # Some come up twice in a commit: the third is in the second one.
        *(f"after {name} {1 + n % 3}" for n, name in enumerate(operations)),
        *(f"during {name} {n}" for name in writing for n in (1, 2)),
    ]
    # What happens once in a process does not come up again.
    once = (
        *("flags.txt", "environment.json", "model.json", "run.json"),
        *("metrics.jsonl.", "reconstructions", "committed.json"),
    )
    kills = [
        f"{kill.rpartition(' ')[0]} 1"
        if any(name in kill for name in once)
        else kill
        for kill in kills
    ]
    generator = random.Random(0)
    kills += [generator.uniform(0.4, 1.0) * seconds for _ in range(2)]
    generator.shuffle(kills)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        results = pool.map(
            lambda n: kill_each(tmp_path / str(n), workdir, kills[n::2]), (0, 1)
        )
        counts, wrong = zip(*results, strict=True)
    assert wrong == ([], [])
    assert sum(counts) == len(kills) >= 25


@pytest.mark.slow
@pytest.mark.parametrize("name", JOBS)
def test_a_task_killed_in_training_and_in_what_ends_it_loses_nothing(
    name, tmp_path
):
    job, reference = JOBS[name], tmp_path / "reference"
    killing.train_uninterrupted(reference, job)
    run = killing.Run(tmp_path / "run", reference, job)
    for kill in (
        f"before {COMMIT} 1",
        "during write checkpoints/tmp-N/state 2",
        # Behind the last checkpoint, with all results but one.
        f"before replace .{job.results[-1]}.N.tmp 1",
    ):
        assert (run.start(kill), run.is_complete) == ([], False), kill
    assert (run.start(), run.is_complete) == ([], True)

"""Hostile files through every door of the program: nothing of them runs.

The doors are `load_pretrained`, `CheckpointStore`, `load_reference_weights`
and the programs that take --workdir. Each case runs in a process of its own,
or shares one that does nothing else; `controls_test.py` shows that the files
do their harm elsewhere.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

from tests.integration import programs
from tests.run import records
from tests.security import hostile
from tf_simmim.run import record_file

_FLAGS = {
    "evaluate.py": (),
    "pretrain.py": (*programs.TINY, "--depth=1", "--train_steps=3"),
}
# Opens every path it is given, and prints what came of it.
_OPEN_ALL = """
import json, sys
import tf_simmim
from tf_simmim import training

for path in sys.argv[1:]:
    try:
        training.load_pretrained(path)
        print(json.dumps([path, None, ""]), flush=True)
    except Exception as error:
        name = type(error).__name__
        print(json.dumps([path, name, str(error)]), flush=True)
"""
_LOAD_WEIGHTS = """
import sys
import h5py
import numpy as np
import tf_simmim
from tf_simmim import backbones, convert

model = backbones.ViT((16, 24), 8, embed_dim=12, depth=1, num_heads=3)
before = model.get_weights()
good = convert.reference_weights(model)
npy, npz, h5 = sys.argv[1:]
with h5py.File(h5) as file:
    for weights in (
        npy,
        np.load(npz),
        file,
        {**good, "mask_token": file["mask_token"]},
        {**good, "mask_token": np.full([1, 1, 12], None)},
    ):
        try:
            convert.load_reference_weights(model, weights)
            print("loaded", flush=True)
        except ValueError as error:
            print(error, flush=True)
for left, right in zip(before, model.get_weights(), strict=True):
    np.testing.assert_array_equal(left, right)
print("unchanged")
"""


@pytest.fixture(scope="module")
def clean_run(tmp_path_factory):
    """A run of two steps, to be copied and spoilt."""
    run = tmp_path_factory.mktemp("clean") / "run"
    programs.pretrain(run, "--depth=1", "--train_steps=2")
    return run


@pytest.fixture
def marker(tmp_path):
    path = tmp_path / "marker"
    yield path
    assert not path.exists()


def copy(clean_run, folder, name):
    return pathlib.Path(shutil.copytree(clean_run, folder / name))


def python(code, *arguments, cwd):
    result = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=cwd,  # on the search path of `python -c`, as of a notebook
        env={**os.environ, "PYTHONPATH": str(programs.ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


def test_files_of_whole_models_are_refused_in_one_sentence(tmp_path, marker):
    paths = [
        make(tmp_path, marker)
        for make in (
            hostile.lambda_h5,
            hostile.lambda_keras,
            hostile.saved_model,
            hostile.saved_model_keras,
            hostile.pickled,
            hostile.object_array,
        )
    ]
    lines = python(_OPEN_ALL, *paths, tmp_path / "nowhere", cwd=tmp_path)
    assert len(lines) == len(paths) + 1
    for line in lines:
        _, error, message = json.loads(line)
        assert error == "ValueError"
        assert "must be the folder of a run" in message
        assert "are not loaded" in message
        assert "\n" not in message


@pytest.mark.slow
def test_a_run_of_a_stranger_is_data(clean_run, tmp_path, marker):
    """Every hostile run is refused, for the reason that it is hostile."""
    hostile.plant_module(tmp_path, marker)
    secret = tmp_path / "secret"
    secret.write_text("{}")
    whole = 10**6

    def spoil(name, function, *arguments, **changes):
        function(copy(clean_run, tmp_path, name), *arguments, **changes)

    edit = hostile.edit_model
    spoil("foreign", edit, backbone=hostile.foreign_class())
    spoil("lambda", edit, backbone=hostile.lambda_layer())
    spoil("no backbone", edit, backbone="builtins")
    spoil("object", edit, backbone__qkv_bias=hostile.foreign_class())
    spoil("objects", edit, mask_ratio=[hostile.foreign_class()])
    spoil("dtype", edit, backbone__dtype="mixed_float16")
    spoil("wide", edit, backbone__embed_dim=3 * whole)
    spoil("deep", edit, backbone__depth=whole)
    spoil("high", edit, backbone__image_size=[whole, whole])
    spoil("channels", edit, backbone__channels=whole)
    spoil("negative", edit, backbone__embed_dim=-24)
    spoil("word", edit, backbone__depth="many")
    spoil("traversal", hostile.traverse)
    spoil("link", hostile.link_checkpoint)
    spoil("model link", hostile.link_file, "model.json", secret)
    spoil("nested", hostile.write_model, "[" * 100_000)
    spoil("large", hostile.write_model, " " * 2_000_000)
    copy(clean_run, tmp_path, "clean")

    expected = {
        "foreign": "'tf_simmim>ViT'], not None",
        "lambda": "'tf_simmim>ViT'], not None",
        "no backbone": "describes no backbone",
        "object": "`qkv_bias` must be a number, a word",
        "objects": "`mask_ratio` must be a number, a word",
        "dtype": "no argument of ViT",
        "wide": "its weights need",
        "deep": "at most 1000 blocks",
        "high": "at most 16384 patches",
        "channels": "its weights need",
        "negative": "`embed_dim` must be at least 1",
        "word": "`depth` and `channels` must be at least 1",
        "traversal": "outside is not a file of this folder",
        "link": "state.data-00000-of-00001 is not an ordinary file",
        "model link": "files are no links",
        "nested": "it is not JSON",
        "large": "more than 1048576 bytes",
        "clean": "",
    }
    lines = python(
        _OPEN_ALL, *(tmp_path / name for name in expected), cwd=tmp_path
    )
    outcomes = {
        pathlib.Path(path).name: rest for path, *rest in map(json.loads, lines)
    }
    assert outcomes.keys() == expected.keys()
    for name, (error, message) in outcomes.items():
        assert expected[name] in message, (name, message)
        assert "\n" not in message
        kinds = {"clean": None, "traversal": "NoValidCheckpointError"}
        kinds["link"] = "NoValidCheckpointError"
        assert error == kinds.get(name, "ValueError"), (name, message)


def test_weights_are_arrays_and_nothing_that_is_still_a_file(tmp_path, marker):
    lines = python(
        _LOAD_WEIGHTS,
        hostile.pickled(tmp_path, marker),
        hostile.object_arrays(tmp_path, marker),
        hostile.external_h5(tmp_path, "mask_token", (1, 1, 12)),
        cwd=tmp_path,
    )
    for line, reason in zip(
        lines,
        (
            "must be a mapping from names to NumPy arrays; files are not",
            "allow_pickle=False",
            "mask_token of type Dataset",
            "mask_token of type Dataset",
            "mask_token of dtype object",
            "unchanged",
        ),
        strict=True,
    ):
        assert reason in line


@pytest.mark.parametrize("program", ["evaluate.py", "pretrain.py"])
@pytest.mark.parametrize(
    "spoil, message",
    [
        (hostile.traverse, "is not a file of this folder"),
        (hostile.link_checkpoint, "is not an ordinary file"),
        (
            lambda run: hostile.link_file(
                run, "evaluation.json", run.parent / "precious"
            ),
            "files are no links",
        ),
        (
            lambda run: hostile.link_file(
                run, "metrics.jsonl", run.parent / "precious"
            ),
            "files are no links",
        ),
        (
            lambda run: hostile.link_file(run, "lock", run.parent / "precious"),
            "files are no links",
        ),
    ],
    ids=["traversal", "link", "evaluation", "metrics", "lock"],
)
@pytest.mark.slow
def test_programs_refuse_the_run_of_a_stranger(
    program, spoil, message, clean_run, tmp_path
):
    precious = tmp_path / "precious"
    precious.write_text("precious")
    run = spoil(copy(clean_run, tmp_path, "run")) or tmp_path / "run"
    result = programs.run(program, *_FLAGS[program], f"--workdir={run}")
    assert result.returncode == 1, result.stderr
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert precious.read_text() == "precious"


@pytest.mark.parametrize("program", ["evaluate.py", "pretrain.py"])
@pytest.mark.parametrize(
    "make",
    [hostile.lambda_h5, hostile.lambda_keras, hostile.pickled],
    ids=lambda make: make.__name__,
)
@pytest.mark.slow
def test_programs_refuse_a_file_in_place_of_a_run(
    program, make, tmp_path, marker
):
    path = make(tmp_path, marker)
    result = programs.run(program, *_FLAGS[program], f"--workdir={path}")
    assert result.returncode == 1
    assert "must be " in result.stderr and path.name in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.slow
def test_evaluation_of_a_saved_model_is_refused(tmp_path, marker):
    path = hostile.saved_model(tmp_path, marker)
    result = programs.run("evaluate.py", f"--workdir={path}")
    assert result.returncode == 1
    assert "must be the folder of a run" in result.stderr


@pytest.mark.slow
def test_pretraining_never_reads_the_model_that_a_folder_brings(
    clean_run, tmp_path, marker
):
    """A program builds its model from flags, and replaces model.json."""
    run = copy(clean_run, tmp_path, "run")
    hostile.edit_model(run, backbone=hostile.foreign_class())
    hostile.plant_module(run, marker)
    result = programs.run_anew(
        "pretrain.py",
        *_FLAGS["pretrain.py"],
        f"--workdir={run}",
        cwd=run,
        PYTHONPATH=f"{programs.ROOT}{os.pathsep}{run}",
    )
    assert result.returncode == 0, result.stderr
    assert hostile.PLANTED_MODULE not in (run / "model.json").read_text()


@pytest.mark.slow
def test_evaluation_takes_no_other_flags_from_a_stranger(tmp_path, marker):
    """One of absl's own flags writes a file."""
    settings = {"run_with_profiling": True, "profile_file": str(marker)}
    record_file.write_record(tmp_path, records.record(settings=settings))
    result = programs.run("evaluate.py", f"--workdir={tmp_path}")
    assert result.returncode == 1
    assert "--dataset" in result.stderr  # as if nothing had been set


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 10**6},
        {"settings": {"seed": {"a": 1}}},
        {"input": None},
        {"model": {"kind": "simmim", "config": "[" * 100_000}},
    ],
)
def test_a_strange_record_ends_programs_with_one_sentence(change, tmp_path):
    document = {**records.record().as_json(), **change}
    (tmp_path / "run.json").write_text(json.dumps(document))
    for arguments in (
        ("evaluate.py", f"--workdir={tmp_path}"),
        ("write_images.py", f"--run={tmp_path}"),
    ):
        result = programs.run(*arguments)
        assert result.returncode == 1
        (line,) = result.stderr.strip().splitlines()
        assert line.startswith(f"Error: {tmp_path}/run.json must be a run.json")
        assert len(line) < 600

"""Tests for the groups of flags of programs that train: their own, no others.

Each program is imported in a process of its own, since what one defines stays.
"""

import json
import pathlib

import pytest

from tests.integration import warm_interpreter

FLAGS = pathlib.Path(__file__).parents[2] / "experiments" / "flags"
SCRIPT = """
import importlib, json, sys
from absl import flags
from tf_simmim.programs import command_line
program, name = sys.argv[1:]
task = getattr(importlib.import_module(f"tf_simmim.programs.{program}"), name)
command_line.take_flags(task.flag_groups, task.flag_defaults)
print(json.dumps({
    "listed": [group.__name__ for group in task.flag_groups],
    "defined": [
        module for module in flags.FLAGS.flags_by_module_dict()
        if module.startswith("tf_simmim.")
    ],
    "defaults": {f.name: f.default for f in command_line.own_flags()},
}))
"""
PROGRAMS = {
    "pretrain": ("Pretraining", {"name": "pretrain", "warmup_epochs": 10}),
    "finetune": (
        "Classification",
        {
            "name": "finetune",
            "crop_scale": ["0.08", "1"],
            "base_learning_rate": 1.25e-3,
            "warmup_epochs": 20,
        },
    ),
    "segment": (
        "Segmentation",
        {"name": "segment", "crop_scale": ["0.25", "1"], "pyramid_width": 128},
    ),
    "detect": ("Detection", {"name": "detect", "pyramid_width": 256}),
}


def program_of(recipe):
    """Returns the program that a flagfile of this project is for."""
    for program in ("finetune", "segment", "detect", "compress"):
        if f"_{program}" in recipe.stem:
            return program
    return "pretrain"


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_takes_the_groups_that_it_lists_and_no_others(
    program, tmp_path
):
    task, wanted = PROGRAMS[program]
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    result = warm_interpreter.run([script, program, task], tmp_path, 120)
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert sorted(found["listed"]) == sorted(found["defined"])
    defaults = found["defaults"]
    assert {name: defaults[name] for name in wanted} == wanted
    # Every recipe of the program sets flags that it has.
    known = {name.removeprefix("no") for name in defaults}
    recipes = [
        path.read_text()
        for path in FLAGS.glob("*.flags")
        if program_of(path) == program
    ]
    assert recipes
    for recipe in recipes:
        names = {
            line[2:].partition("=")[0].removeprefix("no")
            for line in recipe.splitlines()
            if line.startswith("--")
        }
        assert names <= known

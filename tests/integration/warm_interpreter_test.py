"""A fork of a warm interpreter is what a new process would be."""

import os
import signal
import subprocess

import pytest

from tests.integration import warm_interpreter

PROGRAM = """
import os, sys, time
print(os.getcwd(), sys.argv[1:], os.environ.get("COLOUR"), __name__)
print(sys.path[0], file=sys.stderr)
if sys.argv[1] == "fail":
    raise ValueError("too bad")
if sys.argv[1] == "wait":
    time.sleep(60)
sys.exit(int(sys.argv[1]))
"""


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "programs" / "program.py"
    path.parent.mkdir()
    path.write_text(PROGRAM)
    return path


def test_it_has_its_own_directory_arguments_variables_and_code(
    program, tmp_path
):
    for code in (0, 3):
        result = warm_interpreter.run(
            [program, str(code), "a b"], tmp_path, 60, COLOUR="red"
        )
        assert result.returncode == code
        assert result.stdout == f"{tmp_path} ['{code}', 'a b'] red __main__\n"
        assert result.stderr == f"{program.parent}\n"
    assert "COLOUR" not in os.environ


def test_a_traceback_is_code_1(program, tmp_path):
    result = warm_interpreter.run([program, "fail"], tmp_path, 60)
    assert result.returncode == 1
    assert result.stderr.endswith("ValueError: too bad\n")


def test_two_run_at_a_time_and_are_killed_one_by_one(program, tmp_path):
    first, second = (
        warm_interpreter.start([program, "wait"], tmp_path) for _ in range(2)
    )
    assert first.pid != second.pid
    first.kill()
    assert first.wait(60) == -signal.SIGKILL
    assert second.poll() is None
    second.send_signal(signal.SIGTERM)
    assert second.wait(60) == -signal.SIGTERM == second.poll()


def test_what_takes_too_long_is_killed(program, tmp_path):
    with pytest.raises(subprocess.TimeoutExpired):
        warm_interpreter.run([program, "wait"], tmp_path, 0.2)
    # The interpreter serves the next one.
    assert warm_interpreter.run([program, "0"], tmp_path, 60).returncode == 0

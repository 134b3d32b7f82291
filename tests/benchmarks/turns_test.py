"""Tests for benchmarks/turns.py."""

import os
import textwrap

import pytest
import turns

PROGRAM = """
    import sys
    import time
    sys.path.insert(0, {folder!r})
    import turns

    print("a library says hello")
    number = 0

    def work():
        global number
        number += 1
        if number > {limit}:
            sys.exit("out of numbers")
        block = bytearray(number * 50 * 2**20)
        time.sleep(0.05)
        print("and that it works")
        return {{"number": number, "name": sys.argv[1], "size": len(block)}}

    turns.serve(work)
"""


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "program.py"
    folder = os.path.dirname(turns.__file__)
    text = PROGRAM.format(folder=folder, limit=4)
    path.write_text(textwrap.dedent(text))
    return path


def test_every_worker_works_once_a_round(program):
    workers = {name: turns.Worker(program, name) for name in ("first", "last")}
    rounds = turns.take_turns(workers, num_rounds=2, num_warmup_rounds=1)
    for worker in workers.values():
        worker.end()
    # The first number was that of the round that does not count.
    for name in workers:
        answers = [answers[name] for answers in rounds]
        assert [answer["number"] for answer in answers] == [2, 3]
        assert {answer["name"] for answer in answers} == {name}
        for answer in answers:
            assert answer["seconds"] >= 0.05
            assert 0 <= answer["processor_seconds"] < answer["seconds"] + 0.05
            assert answer["peak_bytes"] > answer["number"] * 50 * 2**20
    assert all(list(answers) == list(workers) for answers in rounds)


def test_a_worker_that_ends_is_one_sentence(program):
    worker = turns.Worker(program, "only")
    for _ in range(4):
        worker.work()
    with pytest.raises(SystemExit, match="A process has ended: .*only"):
        worker.work()
    worker.end()

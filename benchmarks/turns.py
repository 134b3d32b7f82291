"""Processes that take turns, so that one run measures them side by side.

Each has its own memory and its own threads, and waits while another works. A
program starts itself, or another one, as a `Worker`; there it calls `serve`.
"""

import contextlib
import json
import random
import subprocess
import sys
import time

import tqdm

# Of the lines that are answers, among what libraries print.
_MARK = "answer: "


class Worker:
    """A process that does one piece of work whenever it is told to.

    Args:
        program: path of the Python program that calls `serve`.
        *arguments: str. Of its command line.
        wrapper: list of str. A command to run it with, e.g. of taskset.
        environment: {name: value} or None. As for `subprocess.Popen`.
    """

    def __init__(self, program, *arguments, wrapper=(), environment=None):
        self._process = subprocess.Popen(
            [*wrapper, sys.executable, str(program), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def ask(self):
        """Tells the process to work; returns at once."""
        try:
            self._process.stdin.write("work\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            self._fail()

    def answer(self):
        """Waits for what the process says of its work, a dict."""
        for line in self._process.stdout:
            if line.startswith(_MARK):
                return json.loads(line.removeprefix(_MARK))
            print(line, end="", file=sys.stderr)
        self._fail()

    def work(self):
        """Has a piece of work done, and returns the answer."""
        self.ask()
        return self.answer()

    def end(self):
        """Ends the process."""
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()

    def _fail(self):
        sys.exit(
            f"A process has ended: {' '.join(self._process.args)}. Its own "
            "message is above."
        )


def serve(work):
    """Works whenever this process is told to, until its input is closed.

    Args:
        work: function () -> dict for JSON. Called for every line of input.
            Seconds, processor seconds and the peak of memory so far, in bytes,
            are added to what it returns.
    """
    for _ in sys.stdin:
        began = time.perf_counter(), time.process_time()
        answer = work() or {}
        ended = time.perf_counter(), time.process_time()
        seconds, processor = (b - a for a, b in zip(began, ended, strict=True))
        answer |= {
            "seconds": seconds,
            "processor_seconds": processor,
            "peak_bytes": peak_memory(),
        }
        print(_MARK + json.dumps(answer), flush=True)


def take_turns(workers, num_rounds, num_warmup_rounds=2):
    """Has every worker work once a round, in an order drawn for each round.

    Args:
        workers: {name: Worker}.
        num_rounds: int. Rounds that count.
        num_warmup_rounds: int. Rounds before them, which trace and compile.

    Returns:
        list of {name: answer}, one a round.
    """
    shuffler = random.Random(0)
    rounds = []
    for _ in tqdm.trange(num_warmup_rounds + num_rounds, unit="round"):
        names = shuffler.sample(list(workers), len(workers))
        answers = {name: workers[name].work() for name in names}
        rounds.append({name: answers[name] for name in workers})
    return rounds[num_warmup_rounds:]


def peak_memory():
    """Returns the most memory that this process has had, in bytes (Linux)."""
    with open("/proc/self/status") as file:
        (line,) = (line for line in file if line.startswith("VmHWM"))
    return 1024 * int(line.split()[1])

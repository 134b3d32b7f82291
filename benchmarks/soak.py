"""Kills pretraining at random as often as asked, and counts what went wrong.

    python benchmarks/soak.py --trials=300

A trial is one kill -9 of `experiments/pretrain.py` at a random moment, in
start-up, training or saving. It fails when anything differs from a run that
was never interrupted: weights or optimizer slots of any checkpoint, the
images of any step, the metrics, or that the same command continues the run.
It prints failures over trials, with the upper end of the one-sided 95 %
confidence interval of the failure rate. About 7 s a trial on two cores.
"""

import concurrent.futures
import pathlib
import random
import sys
import tempfile
import time

import tqdm
from absl import app
from absl import flags

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

from tests.integration import killing  # noqa: E402

_TRIALS = flags.DEFINE_integer("trials", 300, "Kills.", lower_bound=1)
_SEED = flags.DEFINE_integer("seed", 0, "Of the moments.")
_PROCESSES = flags.DEFINE_integer(
    "processes", 2, "Runs at the same time.", lower_bound=1
)


def upper_bound(num_failures: int, num_trials: int) -> float:
    """Returns the failure rate that 95 % of such series would show more of.

    Without a failure this is the rule of three, 3 / `num_trials`; otherwise
    the bound of Clopper and Pearson.
    """
    if num_failures == 0:
        return min(1.0, 3 / num_trials)
    if num_failures >= num_trials:
        return 1.0
    from scipy import stats

    return float(
        stats.beta.ppf(0.95, num_failures + 1, num_trials - num_failures)
    )


def main(argv):
    """Runs the program."""
    if argv[1:]:
        raise app.UsageError(f"Not a flag: {argv[1:]}.")
    with tempfile.TemporaryDirectory() as folder:
        num_failures = soak(pathlib.Path(folder))
    bound = upper_bound(num_failures, _TRIALS.value)
    print(
        f"{num_failures} failures in {_TRIALS.value} trials: "
        f"less than {bound:.2%} at 95 % confidence."
    )
    sys.exit(bool(num_failures))


def soak(folder):
    """Prints what goes wrong, and returns how many kills had that."""
    reference = folder / "reference"
    began = time.monotonic()
    killing.train_uninterrupted(reference)
    seconds = time.monotonic() - began

    generator = random.Random(_SEED.value)
    kills = [
        generator.uniform(0.3, 1.0) * seconds for _ in range(_TRIALS.value)
    ]
    failures = []

    def work(n):
        own_kills = kills[n :: _PROCESSES.value]
        for kill, found in killing.kill_each(
            folder / str(n), reference, own_kills
        ):
            if found:
                failures.append((kill, found))
                progress.write(f"{kill}: {'; '.join(found)}")
            progress.set_postfix(failures=len(failures), refresh=False)
            progress.update()

    progress = tqdm.tqdm(total=len(kills), unit="kill", file=sys.stdout)
    with (
        progress,
        concurrent.futures.ThreadPoolExecutor(_PROCESSES.value) as pool,
    ):
        list(pool.map(work, range(_PROCESSES.value)))
    return len(failures)


if __name__ == "__main__":
    app.run(main)

"""Makes the network of a run smaller, without labels and without training.

    python experiments/prune.py --run=runs/mine/finetuned --target=params:0.4

writes runs/mine/finetuned/pruned (or --workdir, a new folder), a run like any
other: evaluate.py, finetune.py --pretrained, export.py and this program take
it. Its compression.json says what it keeps of the original, which is only
read: accuracy, KL, weights, operations and latency, by held-out images.

The network is a ViT or a Swin of any kind of run. It looks at training images
of the run, or of another --dataset or --split. See docs/compression.md.
"""

import pathlib
import sys
import time

import tqdm
from absl import flags

from tf_simmim import training
from tf_simmim.compression import table
from tf_simmim.programs import command_line
from tf_simmim.programs import pruned_run
from tf_simmim.programs.flags import prune_flags
from tf_simmim.programs.flags import run_flags
from tf_simmim.programs.flags import trained_run_flags

FLAGS = flags.FLAGS
for _name in ("dataset", "seed", "split", "workdir"):
    flags.declare_key_flag(_name)
_SECONDS_BETWEEN_LINES = 10.0


def main(argv):
    """Runs the program."""
    command_line.refuse_leftovers(argv)
    with command_line.plain_errors():
        run = trained_run_flags.RUN.value
        if not run:
            raise ValueError("Name the folder of a run: --run=runs/mine.")
        folder = run_flags.WORKDIR.value or pathlib.Path(run) / "pruned"
        with _Progress() as progress:
            found, report = pruned_run.write(
                run,
                folder,
                num_images=prune_flags.NUM_CALIBRATION_IMAGES.value,
                dataset=FLAGS.dataset or None,
                split=FLAGS.split or None,
                seed=run_flags.SEED.value,
                on_step=progress.step,
                **prune_flags.options(),
            )
    print(f"{pruned_run.summary(found)}\n\n{table.format_report(report)}")
    print(f"\nRun: {folder}")


class _Progress:
    """A bar in a terminal, else a line now and then."""

    def __init__(self):
        self._file = training.SurvivingStream(sys.stderr)
        self._is_terminal = sys.stderr is not None and sys.stderr.isatty()
        self._bar = None
        self._last = ("", 0.0)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self._bar is not None:
            self._bar.close()

    def step(self, done, total, what):
        """Shows how many steps are done, and what the last one was."""
        if self._is_terminal:
            if self._bar is None:
                self._bar = tqdm.tqdm(total=total, file=self._file, leave=False)
            self._bar.set_description(what, refresh=False)
            self._bar.update(done - self._bar.n)
            return
        before, when = self._last
        now = time.monotonic()
        if what != before or now - when > _SECONDS_BETWEEN_LINES:
            self._last = (what, now)
            self._file.write(f"{what}, step {done} of {total}\n")
            self._file.flush()


def launch(argv):
    """Runs the program, and ends the process.

    Args:
        argv: list of str. The command line, program name first.
    """
    command_line.run(
        main,
        argv,
        flag_groups=(trained_run_flags, prune_flags),
        flag_defaults={"dataset": ""},
    )

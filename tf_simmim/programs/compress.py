r"""Makes a trained network smaller, step by step, each with its limits.

    python experiments/compress.py --run=runs/mine/finetuned \
        --step='prune target=params:0.4 max_kl=0.01' --step=quantise

writes runs/mine/finetuned/compressed: a run's folder for each step, which other
programs take as they take any run, with compression.json, what it costs and
keeps of the original; then chain.txt and chain.png for all of them. A step that
breaks its limits is rolled back: the next one goes on from what was before it.
The same command, given again, goes on at the step that it was in. The run is
only read. docs/compression.md has the steps and their options.
"""

import pathlib

import tensorflow as tf
from absl import flags
from absl import logging

from tf_simmim.compression import table
from tf_simmim.programs import command_line
from tf_simmim.programs import compression_chain
from tf_simmim.programs import compression_results
from tf_simmim.programs import compression_steps
from tf_simmim.programs.flags import compress_flags
from tf_simmim.programs.flags import trained_run_flags


@command_line.plain_errors()
def main(argv):
    """Runs the program."""
    command_line.refuse_leftovers(argv)
    run = trained_run_flags.RUN.value
    if not run:
        raise ValueError("Name the folder of a run: --run=runs/demo/finetuned.")
    for name in ("dataset", "split"):
        if flags.FLAGS[name].value:
            raise ValueError(
                f"Leave --{name} out: all steps look at the run's own images. "
                f"Received: --{name}={flags.FLAGS[name].value}."
            )
    logging.set_verbosity(logging.WARNING)
    tf.get_logger().setLevel("WARNING")
    steps = compression_steps.parse_all(
        compress_flags.STEPS.value or [],
        {
            "max_kl": compress_flags.MAX_KL.value,
            "max_accuracy_drop": compress_flags.MAX_ACCURACY_DROP.value,
        },
    )
    folder = pathlib.Path(
        compress_flags.CHAIN_DIR.value or pathlib.Path(run) / "compressed"
    )
    outcomes = compression_chain.run_chain(run, folder, steps, _tell)
    for outcome in outcomes:
        if outcome.report is not None:
            _tell(f"\n{outcome.name}\n{table.format_report(outcome.report)}")
    _tell(f"\n{compression_results.write(run, folder, outcomes)}")
    kept = [outcome.folder for outcome in outcomes if outcome.folder]
    print(
        f"\nTable:    {folder / compression_results.TABLE}\n"
        f"Picture:  {folder / compression_results.PICTURE}\n"
        f"Smallest: {kept[-1] if kept else f'{run}: no step was kept'}"
    )


def _tell(text):
    print(text, flush=True)


def launch(argv):
    """Runs the program, and ends the process.

    Args:
        argv: list of str. The command line, program name first.
    """
    # Flags of training, which what is pruned has settings of, are not given.
    command_line.run(
        main,
        argv,
        flag_groups=(compress_flags, trained_run_flags),
        flag_defaults={"dataset": ""},
    )

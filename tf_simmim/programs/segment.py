"""Trains a network to tell the class of every pixel, and says how well it does.

    python experiments/segment.py --flagfile=digit_scenes_segment.flags
    python experiments/segment.py --pretrained=runs/mine \
        --dataset=segmentation:PATH --backbone=vit_small --image_size=224

--pretrained is the folder of a run of pretrain.py; without it, the network
learns from scratch. The same command, given again, continues the run from its
last checkpoint. At the end, evaluation.json and predictions.png are in the
run's folder. See docs/segmentation.md.

Ctrl-C, SIGTERM and a closed terminal (SIGHUP) end it after the current step,
with a checkpoint; its exit code is then 130, 143 or 129. Under `nohup` it
outlives the terminal.
"""

from absl import flags

from tf_simmim.programs import command_line
from tf_simmim.programs import dense_program
from tf_simmim.programs import segmentation_results
from tf_simmim.programs.flags import compute_flags
from tf_simmim.programs.flags import data_flags
from tf_simmim.programs.flags import dense_flags
from tf_simmim.programs.flags import finetune_flags
from tf_simmim.programs.flags import model_flags
from tf_simmim.programs.flags import optimization_flags
from tf_simmim.programs.flags import run_flags
from tf_simmim.programs.flags import segment_flags
from tf_simmim.programs.flags import strategy_flags

# So that --help shows them.
for _module in (
    *(compute_flags, data_flags, dense_flags, finetune_flags, model_flags),
    *(optimization_flags, run_flags, segment_flags, strategy_flags),
):
    flags.adopt_module_key_flags(_module)


def main(argv):
    """Runs the program."""
    command_line.refuse_leftovers(argv)
    dense_program.run(
        dense_program.Task(
            open_sources=segment_flags.open_sources,
            create_model=segment_flags.create_segmenter,
            training_stream=segment_flags.training_stream,
            evaluation_stream=segment_flags.evaluation_stream,
            write_results=segmentation_results.write,
        )
    )


def launch(argv):
    """Runs the program, and ends the process.

    Args:
        argv: list of str. The command line, program name first.
    """
    segment_flags.configure()
    command_line.run(main, argv, may_lose_output=True)

"""Trains a network to find objects in images, and says how well it does.

    python experiments/detect.py --flagfile=digit_scenes_detect.flags
    python experiments/detect.py --pretrained=runs/mine \
        --dataset=coco:train.json,images --split=all \
        --validation_dataset=coco:val.json,images \
        --backbone=vit_small --image_size=224

--pretrained is the folder of a run of pretrain.py; without it, the network
learns from scratch. The same command, given again, continues the run from its
last checkpoint. At the end, detection.json and predictions.png are in the
run's folder. See docs/detection.md.

Ctrl-C, SIGTERM and a closed terminal (SIGHUP) end it after the current step,
with a checkpoint; its exit code is then 130, 143 or 129. Under `nohup` it
outlives the terminal.
"""

from absl import flags

from tf_simmim.programs import command_line
from tf_simmim.programs import dense_program
from tf_simmim.programs import detection_results
from tf_simmim.programs.flags import compute_flags
from tf_simmim.programs.flags import data_flags
from tf_simmim.programs.flags import dense_flags
from tf_simmim.programs.flags import detect_flags
from tf_simmim.programs.flags import finetune_flags
from tf_simmim.programs.flags import model_flags
from tf_simmim.programs.flags import optimization_flags
from tf_simmim.programs.flags import run_flags
from tf_simmim.programs.flags import strategy_flags

# So that --help shows them.
for _module in (
    *(compute_flags, data_flags, dense_flags, detect_flags, finetune_flags),
    *(model_flags, optimization_flags, run_flags, strategy_flags),
):
    flags.adopt_module_key_flags(_module)


def main(argv):
    """Runs the program."""
    command_line.refuse_leftovers(argv)
    dense_program.run(
        dense_program.Task(
            open_sources=detect_flags.open_sources,
            create_model=detect_flags.create_detector,
            training_stream=detect_flags.training_stream,
            evaluation_stream=detect_flags.evaluation_stream,
            write_results=detection_results.write,
        )
    )


def launch(argv):
    """Runs the program, and ends the process.

    Args:
        argv: list of str. The command line, program name first.
    """
    detect_flags.configure()
    command_line.run(main, argv, may_lose_output=True)

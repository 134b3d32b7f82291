r"""Trains a network to find objects in images, and says how well it does.

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

from tf_simmim import models
from tf_simmim.programs import dense_task
from tf_simmim.programs import detection_results
from tf_simmim.programs import train
from tf_simmim.programs.flags import dense_flags
from tf_simmim.programs.flags import detect_flags


class Detection(dense_task.DenseTask):
    """Learns to find objects, and to tell their classes."""

    run_kind = "detection"
    flag_groups = (*dense_task.DenseTask.flag_groups, detect_flags)
    flag_defaults = {
        **dense_task.DenseTask.flag_defaults,
        "name": "detect",
        "pyramid_width": 256,
    }
    kind = "boxes"
    rule = (
        "The images must have boxes around their objects, as in "
        "builtin:digit_scenes or coco:JSON."
    )

    def names_of(self, source):
        return source.box_class_names

    def create_model(self, context, phase, pretrained):
        return models.Detector(
            self.create_backbone(context, pretrained),
            len(self.names_of(context.source)),
            width=dense_flags.PYRAMID_WIDTH.value,
            num_convolutions=detect_flags.NUM_CONVOLUTIONS.value,
            seed=context.seed,
        )

    def write_results(self, context, stage, scores):
        detection_results.write(context, stage, scores)


def launch(argv):
    """Runs the program, and ends the process.

    Args:
        argv: list of str. The command line, program name first.
    """
    train.launch(Detection(), argv)

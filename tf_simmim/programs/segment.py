r"""Trains a network to tell the class of every pixel, and says how well.

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

from tf_simmim import models
from tf_simmim.programs import dense_task
from tf_simmim.programs import segmentation_results
from tf_simmim.programs import train
from tf_simmim.programs.flags import dense_flags
from tf_simmim.programs.flags import segment_flags


class Segmentation(dense_task.DenseTask):
    """Learns to tell the class of every pixel."""

    run_kind = "segmentation"
    flag_groups = (*dense_task.DenseTask.flag_groups, segment_flags)
    flag_defaults = {**dense_task.DenseTask.flag_defaults, "name": "segment"}
    kind = "segmentation"
    rule = (
        "The pixels of the images must have classes, as in "
        "builtin:digit_scenes, segmentation:PATH, or tfds:NAME with masks "
        "whose classes have names (else: --segmentation_class_names)."
    )

    def names_of(self, source):
        return source.segmentation_class_names

    def source_options(self):
        names = segment_flags.SEGMENTATION_CLASS_NAMES.value
        return {"segmentation_class_names": names}

    def open_sources(self):
        source, held_out = super().open_sources()
        names = self.names_of(source)
        if len(names) < 2:
            raise ValueError(
                "Pixels must have two classes or more, to tell one from "
                f"another. Received: {source.name} with {', '.join(names)} "
                "alone."
            )
        return source, held_out

    def create_model(self, context, phase, pretrained):
        names = self.names_of(context.source)
        return models.Segmenter(
            self.create_backbone(context, pretrained),
            len(names),
            width=dense_flags.PYRAMID_WIDTH.value,
            seed=context.seed,
            class_weights=segment_flags.class_weights(names),
        )

    def write_results(self, context, stage, scores):
        segmentation_results.write(context, stage, scores)


def launch(argv):
    """Runs the program, and ends the process.

    Args:
        argv: list of str. The command line, program name first.
    """
    train.launch(Segmentation(), argv)

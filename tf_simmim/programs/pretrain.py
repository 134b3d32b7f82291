"""Pretrains a backbone with SimMIM.

    python experiments/pretrain.py --flagfile=vitb.flags --dataset=folder:PATH

With no flags at all it runs the demo (demo.flags). The same command, given
again, continues the run from its last checkpoint.

Ctrl-C, SIGTERM and a closed terminal (SIGHUP) end it after the current step,
with a checkpoint; its exit code is then 130, 143 or 129. Under `nohup` it
outlives the terminal.
"""

from tf_simmim.programs import online_evaluation
from tf_simmim.programs import pretraining_phases
from tf_simmim.programs import run_callbacks
from tf_simmim.programs import task
from tf_simmim.programs import train
from tf_simmim.programs.flags import backbone_flags
from tf_simmim.programs.flags import curriculum_flags
from tf_simmim.programs.flags import input_flags
from tf_simmim.programs.flags import masking_flags
from tf_simmim.programs.flags import online_evaluation_flags
from tf_simmim.programs.flags import picture_flags
from tf_simmim.programs.flags import prediction_flags
from tf_simmim.programs.flags import run_flags
from tf_simmim.training import callbacks

# Images that the level of the collapse alarm is measured on.
_ALARM_SAMPLE_SIZE = 256


class Pretraining(task.Task):
    """Learns to predict hidden patches, in phases where there is a schedule."""

    run_kind = "pretraining"
    flag_groups = (
        *task.Task.flag_groups,
        backbone_flags,
        curriculum_flags,
        masking_flags,
        online_evaluation_flags,
        picture_flags,
        prediction_flags,
    )
    demo = "demo.flags"

    def create_phases(self, num_images):
        return curriculum_flags.create_phases(num_images)

    def require_possible(self, context):
        pretraining_phases.require_possible(
            context.phases, context.source.channels, context.seed
        )

    def create_model(self, context, phase, pretrained):
        return pretraining_phases.create_simmim(
            phase, context.source.channels, context.seed
        )

    def training_stream(self, context, phase, model):
        return input_flags.training_stream(
            context.source,
            context.normalization,
            random_mask=model.random_mask,
            seed=context.seed,
            size=phase.image_size,
        )

    def evaluation_stream(self, context, phase, model):
        return input_flags.evaluation_stream(
            context.held_out,
            context.normalization,
            random_mask=model.random_mask,
            seed=context.seed,
            size=phase.image_size,
        )

    def checkpoint_metadata(self, context, number):
        return {"phase": pretraining_phases.describe(context.phases, number)}

    def online_evaluation(self, context, stage):
        return online_evaluation.create(context, stage)

    def display_callbacks(self, context, stage, summaries):
        shown = stage.held_out or stage.stream
        pictures = callbacks.ReconstructionPictures(
            input_flags.first_elements(shown, picture_flags.NUM_PICTURES.value),
            shown.normalization,
            context.directory.reconstructions,
            every_steps=min(
                picture_flags.PICTURE_EVERY_STEPS.value,
                run_callbacks.tenth_of_the_run(context),
            ),
            last_step=context.total_steps,
            summary_writer=summaries,
        )
        if not prediction_flags.loss_is_in_pixels():
            return [pictures]
        sample = input_flags.first_elements(shown, _ALARM_SAMPLE_SIZE)
        log_every = run_flags.LOG_EVERY_STEPS.value
        alarm = callbacks.CollapseAlarm(
            callbacks.single_colour_loss(sample),
            every_steps=log_every,
            patience_steps=context.schedule.warmup_steps + 10 * log_every,
            metrics_file=context.directory.metrics,
            first_step=stage.phase.first_step,
        )
        return [alarm, pictures]

    def alarm_callbacks(self, context, stage):
        return [
            callbacks.OverfittingAlarm(
                run_flags.LOG_EVERY_STEPS.value,
                metrics_file=context.directory.metrics,
                first_step=stage.phase.first_step,
                last_step=context.total_steps,
            )
        ]


def launch(argv):
    """Runs the program, and ends the process.

    Args:
        argv: list of str. The command line, program name first.
    """
    train.launch(Pretraining(), argv)

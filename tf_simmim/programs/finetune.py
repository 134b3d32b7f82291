r"""Fine-tunes a pretrained backbone with labels, and says how good it is.

    python experiments/finetune.py --flagfile=vitb_finetune.flags \
        --pretrained=/runs/simmim_vitb --dataset=folder:PATH

--pretrained is the folder of a run of pretrain.py, or one that
convert_weights.py has made of other weights; without it, the same network
learns from scratch. With no flags at all this program fine-tunes what
the demo has learned with 100 labels (digits_finetune.flags). The same command,
given again, continues the run from its last checkpoint. At the end,
evaluation.json and confusion_matrix.png are in the run's folder.

Ctrl-C, SIGTERM and a closed terminal (SIGHUP) end it after the current step,
with a checkpoint; its exit code is then 130, 143 or 129. Under `nohup` it
outlives the terminal.
"""

import functools

from tf_simmim import backbones
from tf_simmim import data
from tf_simmim import models
from tf_simmim.programs import class_numbers
from tf_simmim.programs import classification_results
from tf_simmim.programs import fine_tuning
from tf_simmim.programs import train
from tf_simmim.programs.flags import backbone_flags
from tf_simmim.programs.flags import classification_flags
from tf_simmim.programs.flags import data_flags
from tf_simmim.programs.flags import input_flags
from tf_simmim.programs.flags import run_flags


class Classification(fine_tuning.FineTuning):
    """Learns to tell the class of an image."""

    run_kind = "fine-tuning"
    flag_groups = (*fine_tuning.FineTuning.flag_groups, classification_flags)
    demo = "digits_finetune.flags"
    results = ("evaluation.json", "confusion_matrix.png")

    def open_sources(self):
        """Opens images whose class names agree, as few as --num_labels says.

        Raises:
            ValueError: they have no labels, those of other classes, or of one.
        """
        data_flags.refuse_shared_images()
        source = data_flags.open_source()
        held_out = data_flags.open_validation_source()
        class_numbers.name_classes(source, held_out)
        class_numbers.require_classes(
            source, held_out, "or leave them out (--validation_split=)"
        )
        num_labels = classification_flags.NUM_LABELS.value
        if num_labels is not None:
            source = data.FewLabels(source, num_labels, run_flags.SEED.value)
        return source, held_out

    def require_possible(self, context):
        replicas = context.strategy.num_replicas_in_sync
        self.batch_mix(context).require_pairs(context.batch_size // replicas)

    def create_model(self, context, phase, pretrained):
        source = context.source
        backbone = backbones.for_classification(
            backbone_flags.create_backbone(
                input_flags.image_size(), source.channels
            )
        )
        if pretrained is not None:
            fine_tuning.transfer(pretrained, backbone)
        return models.Classifier(
            backbone,
            len(source.class_names),
            source.class_names,
            label_smoothing=classification_flags.LABEL_SMOOTHING.value,
            seed=context.seed,
        )

    def training_stream(self, context, phase, model):
        return input_flags.training_stream(
            context.source,
            context.normalization,
            seed=context.seed,
            create=functools.partial(
                _create_augmentation, context.normalization
            ),
        )

    def batch_mix(self, context):
        return data.MixUpCutMix(
            len(context.source.class_names),
            mixup_alpha=classification_flags.MIXUP_ALPHA.value,
            cutmix_alpha=classification_flags.CUTMIX_ALPHA.value,
            rate=classification_flags.MIX_RATE.value,
            switch_rate=classification_flags.MIX_SWITCH_RATE.value,
            label_smoothing=classification_flags.LABEL_SMOOTHING.value,
        )

    def evaluation_stream(self, context, phase, model):
        return input_flags.evaluation_stream(
            context.held_out,
            context.normalization,
            seed=context.seed,
            crop=self.evaluation_crop(input_flags.image_size()),
        )

    def evaluation_crop(self, image_size):
        return data.EvaluationCrop(
            image_size, classification_flags.CROP_FRACTION.value
        )

    def finish(self, context, stage):
        if stage.held_out is not None:
            classification_results.write(context, stage)


def _create_augmentation(normalization, size, **options):
    return data.FinetuningAugmentation(
        size,
        normalization,
        magnitude=classification_flags.RAND_AUGMENT_MAGNITUDE.value,
        magnitude_stddev=classification_flags.RAND_AUGMENT_STDDEV.value,
        num_operations=classification_flags.RAND_AUGMENT_OPERATIONS.value,
        erasing_rate=classification_flags.ERASING_RATE.value,
        **options,
    )


def launch(argv):
    """Runs the program, and ends the process.

    Args:
        argv: list of str. The command line, program name first.
    """
    train.launch(Classification(), argv)

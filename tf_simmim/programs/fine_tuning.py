"""What all training that begins with a pretrained backbone does alike."""

from tf_simmim.programs import task
from tf_simmim.programs.flags import backbone_flags
from tf_simmim.programs.flags import finetune_flags
from tf_simmim.programs.flags import input_flags


class FineTuning(task.Task):
    """Training with labels, from the weights of --pretrained.

    The defaults are the reference's recipe, as far as it is one for all
    networks.
    """

    uses_labels = True
    flag_groups = (*task.Task.flag_groups, backbone_flags, finetune_flags)
    flag_defaults = {
        "name": "finetune",
        "crop_scale": "0.08,1",
        "drop_path_rate": 0.1,
        "base_learning_rate": 1.25e-3,
        "warmup_learning_rate": 2.5e-7,
        "min_learning_rate": 2.5e-7,
        "warmup_epochs": 20.0,
    }

    def normalization(self, source):
        return input_flags.normalization(source, *finetune_flags.statistics())

    def load_pretrained(self):
        return finetune_flags.load_pretrained()

    def optimizer_options(self):
        return finetune_flags.optimizer_options()

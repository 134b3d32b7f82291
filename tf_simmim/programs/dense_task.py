"""What training on a pyramid of features does: segmentation, detection."""

from tf_simmim import data
from tf_simmim.programs import class_numbers
from tf_simmim.programs import fine_tuning
from tf_simmim.programs import run_callbacks
from tf_simmim.programs.flags import backbone_flags
from tf_simmim.programs.flags import data_flags
from tf_simmim.programs.flags import dense_flags
from tf_simmim.programs.flags import input_flags
from tf_simmim.programs.flags import run_flags


class DenseTask(fine_tuning.FineTuning):
    """Training with labels of places in an image, boxes or pixels.

    Attributes:
        kind: str, "segmentation" or "boxes": what elements of streams hold.
        rule: str. The sentence that images break whose names are None.
    """

    flag_groups = (*fine_tuning.FineTuning.flag_groups, dense_flags)
    flag_defaults = {
        **fine_tuning.FineTuning.flag_defaults,
        "crop_scale": "0.25,1",
        "warmup_epochs": 5.0,
    }
    results = ("evaluation.json", "detection.json", "predictions.png")
    kind: str
    rule: str

    def names_of(self, source):
        """Returns the names of what is to be told, None for no names."""
        raise NotImplementedError

    def source_options(self):
        """Returns a dict, more for `data.open_source`."""
        return {}

    def write_results(self, context, stage, scores):
        """Writes and prints what a run is worth.

        Args:
            context: `RunContext`. All workers call this, the chief writes.
            stage: `Stage`, with held-out images, just evaluated.
            scores: dict of what the evaluation returned.
        """
        raise NotImplementedError

    def open_sources(self):
        """Opens images whose names agree, as few as --num_labelled_images.

        Raises:
            ValueError: they have no names, or not the same.
        """
        data_flags.refuse_shared_images()
        options = self.source_options()
        source = data_flags.open_source(**options)
        held_out = data_flags.open_validation_source(**options)
        for each in (source, held_out):
            if each is not None and self.names_of(each) is None:
                raise ValueError(f"{self.rule} Received: {each.name}.")
        names = self.names_of(source)
        if held_out is not None and self.names_of(held_out) != names:
            raise ValueError(
                "The held-out images must have the classes of the training "
                "images; or leave them out (--validation_split=). "
                f"Received: {self.names_of(held_out)}, and {names}."
            )
        class_numbers.warn_of_missing(source, held_out, names, "box")
        num_images = dense_flags.NUM_LABELLED_IMAGES.value
        if num_images is not None:
            source = data.FewImages(source, num_images, run_flags.SEED.value)
        return source, held_out

    def create_backbone(self, context, pretrained):
        """Returns the backbone of the flags, with the weights of another.

        Args:
            context: `RunContext`.
            pretrained: backbone, or None for fresh weights.

        Raises:
            ValueError: `pretrained` is another network.
        """
        backbone = backbone_flags.create_backbone(
            input_flags.image_size(), context.source.channels
        )
        if pretrained is not None:
            fine_tuning.transfer(pretrained, backbone)
        return backbone

    def training_stream(self, context, phase, model):
        return input_flags.training_stream(
            context.source,
            context.normalization,
            seed=context.seed,
            **{f"with_{self.kind}": True},
        )

    def evaluation_stream(self, context, phase, model):
        return input_flags.evaluation_stream(
            context.held_out,
            context.normalization,
            seed=context.seed,
            **{f"with_{self.kind}": True},
        )

    def finish(self, context, stage):
        if stage.held_out is None:
            return
        scores = run_callbacks.held_out_scores(context, stage)
        self.write_results(context, stage, scores)

"""The flag that names a run, for programs that look at what it has learned."""

from absl import flags

from tf_simmim import run
from tf_simmim import training
from tf_simmim import visualization
from tf_simmim.export import preprocessing
from tf_simmim.models import registry

RUN = flags.DEFINE_string(
    "run",
    None,
    "Open the run in this folder, the --workdir of pretrain.py, or of another "
    "program that trains where only features are looked at. By default there "
    "is no run; most programs need one.",
)


def load_run():
    """Returns the model of --run, and the normalisation of its images.

    Raises:
        ValueError, NoValidCheckpointError: as `training.load_pretrained`.
        ValueError: there is no --run, or as `run.read_record`.
    """
    if not RUN.value:
        raise ValueError("Name the folder of a run: --run=runs/demo.")
    model = training.load_pretrained(RUN.value)
    record = run.read_record(RUN.value)
    record.input.require_channels(model.backbone.channels)
    return model, preprocessing.normalization_of(record.input)


def load_simmim():
    """Returns what `load_run` does, of a run that can reconstruct.

    Raises:
        ValueError: as `load_run`; or its model predicts no pixels.
    """
    model, normalization = load_run()
    kind = registry.kind_of(model)
    if "reconstruct" not in kind.signatures:
        raise ValueError(
            f"--run must be a run of pretrain.py: a {kind.name} predicts no "
            f"pixels. Received: {RUN.value}."
        )
    return model, normalization


def print_notes(model) -> None:
    """Prints what one has to know to read the pictures of a model."""
    shown = visualization.shown_channels(model.backbone.channels)
    if shown:
        print(f"Shown: {shown}.")
    target = getattr(model, "target", "pixels")
    if target != "pixels":
        print(
            f"The model's target is {target}: each predicted patch is "
            "put at the brightness and contrast of the true one, which "
            "flatters it."
        )

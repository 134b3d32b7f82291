"""Measures what a pretrained backbone has learned, without training it.

    python experiments/evaluate.py --workdir=runs/demo

prints how well its frozen features (mean of the patch tokens, per block) tell
the classes apart, beside those of the same network untrained and raw pixels:
by nearest neighbours, by a linear probe and with few labels (--protocols). It
writes `evaluation.json` and `evaluation.png` to the run's folder. A bad image
ends it: a score would be of other images than were asked for.
"""

import json
import os
import pathlib
import sys

import tensorflow as tf
from absl import flags

from tf_simmim import atomic_file
from tf_simmim import evaluation
from tf_simmim import run as run_files
from tf_simmim import training
from tf_simmim import visualization
from tf_simmim.models import registry
from tf_simmim.programs import class_numbers
from tf_simmim.programs import command_line
from tf_simmim.programs import open_streams
from tf_simmim.programs import pretrain
from tf_simmim.programs import run_settings
from tf_simmim.programs.flags import backbone_flags
from tf_simmim.programs.flags import compute_flags
from tf_simmim.programs.flags import data_flags
from tf_simmim.programs.flags import evaluation_flags
from tf_simmim.programs.flags import input_flags
from tf_simmim.programs.flags import masking_flags
from tf_simmim.programs.flags import prediction_flags
from tf_simmim.programs.flags import run_flags
from tf_simmim.training import callbacks

# What a run's settings are, and how to judge it.
_FLAG_GROUPS = (*pretrain.Pretraining.flag_groups, evaluation_flags)
# Of these, what the run's model says of itself.
_OF_MODELS = (backbone_flags, masking_flags, prediction_flags)
# Images that reconstructions are compared with simple guesses on: one of these
# solves an equation for each image.
_SAMPLE_SIZE = 512
_SAMPLE_BATCH_SIZE = 32
# Of evaluation.json; a reader can tell by it what to expect. 1 had no number.
_FORMAT_VERSION = 2


def main(argv):
    """Runs the program."""
    command_line.refuse_leftovers(argv)
    streams = open_streams.OpenStreams()
    with command_line.plain_errors(), streams.named_errors():
        _evaluate(streams)


def _evaluate(streams):
    run = run_flags.run_directory()
    _require_pretraining(run)
    seed = run_flags.SEED.value
    tf.keras.utils.set_random_seed(seed)
    compute_flags.set_precision()

    data_flags.refuse_shared_images()
    train_source = data_flags.open_source()
    test_source = data_flags.open_validation_source()
    class_numbers.name_classes(train_source, test_source)
    if test_source is None:
        raise ValueError(
            "An evaluation needs held-out images with labels. "
            "Received: --validation_split=."
        )
    class_numbers.require_classes(
        train_source,
        test_source,
        "or name others (--validation_dataset=, --validation_split=)",
    )
    names = train_source.class_names
    normalization = input_flags.normalization(train_source)
    store = training.CheckpointStore(run.checkpoints)
    if store.latest() is None:
        training.refuse_before_first_checkpoint(run)
    manifest = store.newest_valid()
    model = _create_model(run, manifest, seed)
    blocks = evaluation_flags.blocks(model.backbone)
    images, test = evaluation_flags.open_data(
        train_source,
        test_source,
        normalization=normalization,
        random_mask=model.random_mask,
        image_size=model.backbone.image_size,
        folder=run.path / "features",
        streams=streams,
    )

    # First, because it is fast and says what is wrong with the labels.
    pixels = images.raw_pixels()
    settings = evaluation_flags.settings(pixels[1], names)
    raw_pixels = evaluation.probe_features(*pixels, settings)

    def scores(name):
        splits = images.block_features(model.backbone, blocks)
        return evaluation.probe_blocks(splits, settings, f"{name} blocks")

    untrained = scores("untrained")
    checkpoint = tf.train.Checkpoint(model=model)
    store.restore(checkpoint, set_aside=False, manifest=manifest)
    pretrained = scores("pretrained")
    images.forget_others()
    loss = evaluation.reconstruction_loss(model, test)
    sample = test.unbatch().take(_SAMPLE_SIZE)
    quality = evaluation.reconstruction_quality(
        model, sample.batch(_SAMPLE_BATCH_SIZE), normalization
    )

    results = {
        "format": "tf_simmim evaluation",
        "version": _FORMAT_VERSION,
        "step": manifest["step"],
        "num_train_images": len(pixels[1]),
        "num_test_images": len(pixels[3]),
        "num_classes": len(names),
        "features": "mean of the patch tokens of a block, frozen",
        "interval": "95 %: Wilson's for one result on the test images; "
        "Student's t over the draws for few labels",
        "validation_loss": loss,
        "reconstruction": quality,
    }
    loss_text = f"Held-out reconstruction loss: {loss:.3f}"
    if (model.target, model.reconstruction_loss) == ("pixels", "l1"):
        level = callbacks.single_colour_loss(
            next(iter(sample.batch(_SAMPLE_SIZE)))
        )
        results["single_colour_loss"] = level
        loss_text += f" (predicting the best single colour: {level:.3f})"
    report = evaluation.probe_report(
        pretrained, untrained, raw_pixels, settings
    )
    results["protocols"] = report
    with atomic_file.replacing(run.path / "evaluation.json") as file:
        file.write((json.dumps(results, indent=2) + "\n").encode())
    picture = run.path / "evaluation.png"
    with training.going_on_without(str(picture)):
        visualization.write_png(picture, visualization.accuracy_chart(report))
    print(
        f"\nFrozen features at step {manifest['step']}: {len(pixels[3])} test "
        f"images, {len(pixels[1])} training images, {len(names)} classes.\n"
    )
    print(evaluation.format_report(report))
    print(
        "\n± half of the 95 % interval; * the best block. Which of two close "
        "blocks is\nbetter, so few images do not say. docs/evaluation.md: what "
        f"each number means.\n\n{loss_text}\n\n"
        f"{evaluation.format_quality(quality)}\n\nPicture:         {picture}"
    )
    _print_closing(run)


def _require_pretraining(run):
    """Refuses a run whose model reconstructs nothing."""
    record = run_files.read_record(run.path)
    if "reconstruct" not in registry.find(record.model.kind).signatures:
        raise ValueError(
            "--workdir must be the folder of a run of pretrain.py. "
            f"Received: {run.path}, a run of {record.kind}."
        )


def _create_model(run, manifest, seed):
    """Returns the model of a checkpoint, with fresh weights.

    As the run has it, but for flags of masks and predictions that are given,
    and --image_size.

    Raises:
        ValueError: flags of its network are given.
    """
    given = {
        group: {
            flag.name: flag.value
            for flag in flags.FLAGS.get_flags_for_module(group.__name__)
            if flag.present
        }
        for group in _OF_MODELS
    }
    if given[backbone_flags]:
        names = ", ".join(f"--{name}" for name in given[backbone_flags])
        raise ValueError(
            f"The network is that of --workdir. Received: {names}, which would "
            "make it another."
        )
    size = {}
    if flags.FLAGS["image_size"].present:
        size = {"image_size": list(input_flags.image_size())}
    return training.create_model(
        run,
        manifest,
        changes={
            **given[masking_flags],
            **given[prediction_flags],
            "seed": seed,
        },
        backbone_changes=size,
    )


def _print_closing(run):
    """Prints what the numbers mean, and what to look at and type next."""
    pictures = sorted(run.reconstructions.glob("*.png"))
    python = pathlib.Path(os.path.relpath(sys.executable))
    print(
        "\nRaw pixels are hard to beat on small, centred images such as "
        "digits; on\nphotographs they fall far behind."
    )
    if pictures:
        print(f"\nReconstructions: {pictures[-1]}")
    print(f"Run directory:   {run.path}")
    print(
        f"Curves:          {python.parent / 'tensorboard'} "
        f"--logdir={run.tensorboard}"
    )
    print(
        f"Next, your own images:\n  {python} experiments/pretrain.py "
        "--flagfile=vits.flags \\\n    --dataset=folder:PATH "
        "--global_batch_size=64 --workdir=runs/mine"
    )


def launch(argv):
    """Runs the program, and ends the process.

    Args:
        argv: list of str. The command line, program name first.
    """
    if not any(word.startswith(("--help", "-help")) for word in argv):
        if run_settings.folder_of(argv, "workdir") is None:
            sys.exit("Name the folder of a run: --workdir=runs/demo")
        argv = run_settings.with_settings(argv, "workdir", _settings())
    command_line.run(main, argv, flag_groups=_FLAG_GROUPS)


def _settings():
    """Returns the names of settings that a run brings with it."""
    of_models = {
        flag.name
        for group in _OF_MODELS
        for flag in flags.FLAGS.get_flags_for_module(group.__name__)
    }
    names = {flag.name for flag in command_line.own_flags()}
    return names - of_models - {"image_size"}

"""Converts weights of other implementations into a run's folder, and back.

    python experiments/convert_weights.py IN OUT

IN: weights of a ViT or Swin, from SimMIM's reference, timm or Hugging Face, as
.safetensors or .pth (needs PyTorch), or Hugging Face's folder. OUT: a new
folder, which other programs and `training.load_pretrained` take as a run's;
its conversion.json has every name that was used, unused or missing.

    python experiments/convert_weights.py runs/mine mine.safetensors

writes the weights of a run under the reference's names.
"""

import dataclasses
import pathlib

import tensorflow as tf
from absl import flags

from tf_simmim import convert
from tf_simmim import run
from tf_simmim import training
from tf_simmim.models import registry
from tf_simmim.programs import command_line
from tf_simmim.programs.flags import backbone_flags
from tf_simmim.programs.flags import data_flags
from tf_simmim.programs.flags import input_flags
from tf_simmim.programs.flags import source_flags

FLAGS = flags.FLAGS
# What weights do not always tell.
_KNOWN = (
    "image_size",
    "num_heads",
    "window_size",
    "epsilon",
    "absolute_position",
)
for _name in _KNOWN:
    flags.declare_key_flag(_name)
_KEEP_HEAD = flags.DEFINE_bool(
    "keep_head",
    False,
    "Keep the classification head of a Swin, or of a ViT that the reference "
    "has fine-tuned: OUT is a classifier then. Otherwise OUT has the encoder "
    "alone.",
)
_ALLOW_UNUSED = flags.DEFINE_list(
    "allow_unused",
    [],
    "Ignore these names in IN, or patterns of names such as 'head.*'. Any "
    "other name that the network has no place for is an error. What the "
    "network lacks then gets new weights.",
)
_PREFIX = flags.DEFINE_string(
    "prefix",
    None,
    "Take the network of this prefix where IN holds several: what stands "
    "before the names of its weights, such as teacher.backbone. or the "
    "beginning of that. By default it is the only one there is.",
)
_ENTRY = flags.DEFINE_string(
    "entry",
    "",
    "Take the weights from this entry of a .pth file. When it is empty, the "
    "entry is model or state_dict.",
)
_ENCODER_ONLY = flags.DEFINE_bool(
    "encoder_only",
    False,
    "Write the encoder of a run alone, under names without `encoder.`.",
)
_SEED = 0  # of what IN lacks


def main(argv):
    """Runs the program."""
    with command_line.plain_errors():
        require_no_other_flags()
        if len(argv) != 3:
            raise ValueError(
                "Name what to convert and what to write: IN OUT. "
                f"Received: {' '.join(argv[1:]) or 'nothing'}."
            )
        source, target = map(pathlib.Path, argv[1:])
        if (source / "model.json").is_file():
            export_run(source, target)
        else:
            import_weights(source, target)


def require_no_other_flags():
    """Refuses flags of training that would change nothing here."""
    by_module = FLAGS.flags_by_module_dict()
    modules = (backbone_flags, data_flags, input_flags, source_flags)
    given = [
        f"--{flag.name}"
        for module in modules
        for flag in by_module[module.__name__]
        if flag.present and flag.name not in _KNOWN
    ]
    if given:
        raise ValueError(
            "These flags are for training, and change nothing here. Received: "
            f"{', '.join(sorted(given))}."
        )


def export_run(source, target):
    """Writes a run's weights as .safetensors."""
    model = training.load_pretrained(source)
    weights = convert.reference_weights(
        model.backbone if _ENCODER_ONLY.value else model
    )
    convert.write_safetensors(target, weights)
    total = sum(array.size for array in weights.values())
    print(f"{len(weights)} names, {total:,} weights: {target}")


def import_weights(source, target):
    """Writes the folder of a model with the weights of a file."""
    file = convert.open_weights(source, _ENTRY.value)
    tf.keras.utils.set_random_seed(_SEED)
    conversion = convert.convert_weights(
        file.weights,
        dataclasses.replace(file.facts, **given_facts()),
        _KEEP_HEAD.value,
        _ALLOW_UNUSED.value,
        _PREFIX.value,
    )
    report, model = conversion.report, conversion.model
    documents = {
        "conversion.json": {
            **report.as_dict(),
            "source": str(file.path),
            "other_entries": file.others,
        },
        "flags.txt": network_flags(model.backbone),
    }
    training.write_model_folder(target, model, documents, record_of(model))
    print(report.text())
    for name, what in file.others.items():
        print(f"Not weights: {name} ({what})")
    size = "x".join(map(str, model.backbone.image_size))
    print(f"A {type(model).__name__} for {size} px: {target}")


def network_flags(backbone):
    """Returns a flagfile that describes a network, for `finetune.py`."""
    height, width = backbone.image_size
    return (
        f"{backbone_flags.flagfile(backbone)}"
        f"--channels={backbone.channels}\n"
        f"--image_size={height},{width}\n"
    )


def record_of(model):
    """Returns the `run.RunRecord` of a model that was trained elsewhere."""
    backbone = model.backbone
    return run.RunRecord(
        kind="converted weights",
        model=run.ModelRecord.of(model),
        input=run.InputRecord(
            image_size=backbone.image_size,
            channels=backbone.channels,
            crop={"name": registry.kind_of(model).crop},
        ),
        settings={"channels": backbone.channels},
        versions=training.describe_environment()["packages"],
    )


def given_facts():
    """Returns what flags say of the model in IN."""
    facts = {n: FLAGS[n].value for n in _KNOWN if FLAGS[n].present}
    for name, value in facts.items():
        if isinstance(value, list):
            numbers = tuple(map(int, value))
            facts[name] = numbers[0] if len(numbers) == 1 else numbers
    return facts


def launch(argv):
    """Runs the program, and ends the process.

    Args:
        argv: list of str. The command line, program name first.
    """
    # IN and OUT may stand before, between or after the flags.
    FLAGS.set_gnu_getopt(True)
    command_line.run(main, argv, flag_defaults={"dataset": ""})

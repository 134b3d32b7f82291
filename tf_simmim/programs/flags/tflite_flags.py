"""Flags for files of TensorFlow Lite, beside an export."""

from absl import flags

from tf_simmim import export
from tf_simmim import run
from tf_simmim.export import tflite_conversion
from tf_simmim.programs import run_images

_TFLITE = flags.DEFINE_bool(
    "tflite",
    False,
    "Write what the network answers for TensorFlow Lite as well: the features, "
    "in float32, float16 and int8, if no other flag says otherwise.",
)
_KINDS = flags.DEFINE_list(
    "tflite_kinds",
    ["float32", "float16", "int8"],
    "Write files for TensorFlow Lite of these kinds: float32, float16, int8 "
    "(weights in 8 bits, activations scaled in each call) and full_int8 "
    "(activations scaled by images that are shown to the network now).",
)
_OUTPUTS = flags.DEFINE_list(
    "tflite_outputs",
    ["features"],
    "Write files for TensorFlow Lite that answer with these, one file each: "
    "features, and logits of a classifier or a segmenter.",
)
_BATCH_SIZE = flags.DEFINE_integer(
    "tflite_batch_size",
    1,
    "Let files for TensorFlow Lite take this many images at a time.",
    lower_bound=1,
)
_INPUT_TYPE = flags.DEFINE_enum(
    "tflite_input_type",
    "float32",
    list(tflite_conversion.INPUT_TYPES),
    "Let files of kind full_int8 take pixels as float32 or as int8. With int8 "
    "norms and softmaxes are computed in int8 too, which costs exactness.",
)
_CALIBRATION = flags.DEFINE_string(
    "tflite_calibration",
    None,
    "Scale activations of full_int8 by images of this source, named as in "
    "--dataset of pretrain.py. By default they are the run's training images.",
)
_NUM_CALIBRATION_IMAGES = flags.DEFINE_integer(
    "tflite_num_calibration_images",
    256,
    "Scale activations of full_int8 by at most this many images.",
    lower_bound=1,
)
for _name, _known in (
    ("tflite_kinds", tflite_conversion.KINDS),
    ("tflite_outputs", tflite_conversion.OUTPUTS),
):
    flags.register_validator(
        _name,
        lambda values, known=_known: bool(values) and set(values) <= set(known),
        message=f"must be some of {', '.join(_known)}",
    )


def options(folder) -> export.TFLiteOptions | None:
    """Returns what to write for TensorFlow Lite of a run, or None for nothing.

    Args:
        folder: path of the run.

    Raises:
        ValueError: the images for calibration cannot be opened.
    """
    if not _TFLITE.value:
        return None
    calibration = None
    if "full_int8" in _KINDS.value:
        model, _, _ = export.read_run(folder)
        calibration = run_images.pixels(
            run.read_record(folder),
            model,
            run_images.TRAINING,
            _NUM_CALIBRATION_IMAGES.value,
            _CALIBRATION.value,
        )
    return export.TFLiteOptions(
        kinds=tuple(_KINDS.value),
        outputs=tuple(_OUTPUTS.value),
        batch_size=_BATCH_SIZE.value,
        input_type=_INPUT_TYPE.value,
        calibration=calibration,
    )

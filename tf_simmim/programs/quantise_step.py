"""Quantisation as a step of a chain: a run gets a file of few bits."""

from tf_simmim import atomic_file
from tf_simmim import export
from tf_simmim import models
from tf_simmim import run as run_files
from tf_simmim import training
from tf_simmim.compression import report_file
from tf_simmim.export import tflite_conversion
from tf_simmim.export import tflite_network
from tf_simmim.programs import run_images
from tf_simmim.programs import run_settings
from tf_simmim.programs import step_report

OPTIONS = {"kind": "full_int8", "input_type": "float32", "images": 256}
FOLDER = "tflite"


def check_options(options) -> None:
    """Raises unless a run can be quantised with these options.

    Args:
        options: {name of `OPTIONS`: value}.

    Raises:
        ValueError: a value is none of those that there are.
    """
    tflite_conversion.require_types(options["kind"], options["input_type"])
    if options["images"] < 1:
        raise ValueError(
            "`images` of quantise must be at least 1. "
            f"Received: {options['images']}."
        )


def check_model(model) -> None:
    """Raises ValueError where a model is none that can be quantised."""
    if isinstance(model, models.Detector):
        raise ValueError(
            "quantise takes pretrained networks, classifiers and segmenters: "
            "of a detector, TensorFlow Lite can have the features only. "
            "Received: a detector."
        )


def run(folder, original, target, options) -> None:
    """Writes a run's network as a file of TensorFlow Lite, beside its weights.

    The report compares that file with the original's in float32, under
    TensorFlow Lite with one thread both.

    Args:
        folder: path of the run.
        original: path of the run that it is compared with.
        target: path of the folder to write, which does not exist: a run with
            the weights of `folder`, and `tflite/<output>_<kind>.tflite`.
        options: {name of `OPTIONS`: value}.

    Raises:
        ValueError: the run is of a detector; as `tflite_conversion.convert`;
            or the run's images cannot be opened.
    """
    record = run_files.read_record(folder)
    first, first_preprocessing, _ = export.read_run(original)
    model, preprocessing, _ = export.read_run(folder)
    check_model(model)
    images = step_report.open_images(record, first, options["images"])
    networks = [
        tflite_network.create(
            export.Signatures(first, first_preprocessing), "float32"
        ),
        tflite_network.create(
            export.Signatures(model, preprocessing),
            options["kind"],
            calibration=calibration(folder, model, options),
            input_type=options["input_type"],
        ),
    ]
    report = step_report.measure(
        first,
        [network for network, _ in networks],
        images,
        step="quantise",
        seed=record.seed,
        settings=options,
    )
    flagfile = run_settings.as_flagfile(run_settings.elsewhere(record.settings))
    training.write_model_folder(target, model, {"flags.txt": flagfile}, record)
    (target / FOLDER).mkdir()
    name = f"{tflite_network.output_of(model)}_{options['kind']}.tflite"
    with atomic_file.replacing(target / FOLDER / name) as file:
        file.write(networks[1][1])
    report_file.write_report(target, report)


def calibration(folder, model, options):
    """Returns pixels that activations are scaled by, None for none.

    Args:
        folder: path of the run.
        model: the run's.
        options: {name of `OPTIONS`: value}.
    """
    if options["kind"] != "full_int8":
        return None
    return run_images.pixels(
        run_files.read_record(folder),
        model,
        run_images.TRAINING,
        options["images"],
    )

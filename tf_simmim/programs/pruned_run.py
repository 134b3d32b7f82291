"""A run's network, pruned, as a run's folder of its own."""

import dataclasses
import itertools
from pathlib import Path

from tf_simmim import run as run_files
from tf_simmim import training
from tf_simmim.compression import narrowing
from tf_simmim.compression import network
from tf_simmim.compression import pruning
from tf_simmim.compression import report as reporting
from tf_simmim.compression import report_file
from tf_simmim.models import registry
from tf_simmim.programs import run_images
from tf_simmim.programs import run_settings

# Measured by these, and probes of a network without a head learn from those.
_NUM_IMAGES = 2000
_NUM_TRAIN_IMAGES = 2048
# Where the run was: what is written is another one.
_OF_THE_FOLDER = ("workdir", "name")


def write(
    folder,
    target_folder,
    *,
    num_images,
    dataset=None,
    original=None,
    **options,
):
    """Prunes the network of a run, and writes a run with it and a report.

    The folder is whole or not there, and the run is only read.

    Args:
        folder: path of the run.
        target_folder: path of a folder, which does not exist.
        num_images: int > 0. Calibrate with at most so many training images of
            the run.
        dataset: str, a source of other images to calibrate with; or None.
        original: path of the run that the report compares it with; by default
            `folder`.
        **options: `target` and others of `pruning.prune`.

    Returns:
        (`pruning.Pruning`, `CompressionReport`). The report is by held-out
        images; of a run without, by those of the calibration.

    Raises:
        ValueError, NoValidCheckpointError: as `training.load_pretrained`.
        ValueError: `target_folder` exists, the images cannot be opened, or as
            `pruning.prune`.
    """
    target_folder = Path(target_folder)
    if target_folder.exists() or target_folder.is_symlink():
        raise ValueError(
            "--workdir must be a folder that does not exist yet, for the "
            f"pruned run. Received: {target_folder}."
        )
    model = training.load_pretrained(folder)
    narrowing.parts_of(model)  # refuses what cannot be pruned at all
    record = run_files.read_record(folder)
    images, name = run_images.batches(
        record, model, run_images.TRAINING, num_images, dataset
    )
    images = list(images)
    found = pruning.prune(
        model, [element["image"] for element in images], **options
    )
    first = model if original is None else training.load_pretrained(original)
    report = _report(record, first, found, (images, name), options)
    settings = _settings(record, found)
    training.write_model_folder(
        target_folder,
        found.model,
        {
            report_file.FILE_NAME: report_file.as_json(report),
            "flags.txt": run_settings.as_flagfile(settings),
        },
        dataclasses.replace(
            record,
            kind="pruning",
            model=run_files.ModelRecord.of(found.model),
            settings=settings,
            versions=training.describe_environment()["packages"],
        ),
    )
    return found, report


def _report(record, model, found, calibration, options):
    """Measures the pruned network beside the original."""
    kind, train_images = registry.kind_of(model).name, None
    images, name = calibration
    if _holds_out(record):
        images, name = run_images.batches(
            record, model, run_images.HELD_OUT, _NUM_IMAGES
        )
        if kind == "simmim" and "label" in images.element_spec:
            train_images, _ = run_images.batches(
                record, model, run_images.TRAINING, _NUM_TRAIN_IMAGES
            )
    return reporting.report(
        network.of_model(model),
        network.of_model(found.model),
        images,
        model=model,
        kind=kind,
        step="prune",
        images_name=name,
        train_images=train_images,
        seed=options.get("seed"),
        settings={
            name: value
            for name, value in options.items()
            if name != "on_step" and value is not None
        },
        selection={
            "budget": found.budget,
            "tried": found.tried,
            "recovery": found.recovery
            and {
                "kls": list(found.recovery.kls),
                "best": found.recovery.best,
            },
            "blocks": list(found.blocks),
        },
        measure_memory=False,
    )


def _holds_out(record):
    splits = record.data.splits if record.data is not None else {}
    settings = record.settings
    # Runs of 0.1.0 have the name among their settings alone, or the default.
    named = splits.get("held_out") or settings.get("validation_split", True)
    return bool(settings.get("dataset") and named)


def _settings(record, found):
    """Returns the settings of the run, with the widths of its network."""
    settings = {
        name: value
        for name, value in record.settings.items()
        if name not in _OF_THE_FOLDER
    }
    if "backbone" in settings:
        settings |= {
            narrowing.ARGUMENTS[part]: list(dims)
            for part, dims in found.widths.items()
            if dims != found.full[part]
        }
    return settings


def summary(found) -> str:
    """Returns the widths that parts have kept, a line for each part."""
    titles = {
        "mlp": "hidden units of MLPs",
        "query_key": "width of queries and keys, one head",
        "value": "width of values, one head",
    }
    lines = [f"Kept in blocks 0 to {len(found.blocks) - 1}:"]
    for part, dims in found.widths.items():
        runs = [
            (width, full, len(list(group)))
            for (width, full), group in itertools.groupby(
                zip(dims, found.full[part], strict=True)
            )
        ]
        texts = [
            f"{width} of {full}" + (f" ({count} blocks)" if count > 1 else "")
            for width, full, count in runs
        ]
        lines.append(f"  {titles[part]}: {', '.join(texts)}")
    return "\n".join(lines)

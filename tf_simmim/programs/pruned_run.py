"""A run's network, pruned, as a run's folder of its own."""

import dataclasses
import itertools
from pathlib import Path

from tf_simmim import run as run_files
from tf_simmim import training
from tf_simmim.compression import narrowing
from tf_simmim.compression import network
from tf_simmim.compression import pruning
from tf_simmim.compression import report_file
from tf_simmim.programs import run_images
from tf_simmim.programs import run_settings
from tf_simmim.programs import step_report


def write(
    folder,
    target_folder,
    *,
    num_images,
    dataset=None,
    split=None,
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
        split: str, another split to calibrate with; None for the run's own.
        original: path of the run that the report compares it with; by default
            `folder`.
        **options: `target` and others of `pruning.prune`.

    Returns:
        (`pruning.Pruning`, `CompressionReport`). The report is by held-out
        images; of a run without, by those of the calibration.

    Raises:
        ValueError, NoValidCheckpointError: as `training.load_pretrained`.
        ValueError: `target_folder` exists, the images cannot be opened, there
            are too few for a recovery, or as `pruning.prune`.
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
    first = model if original is None else training.load_pretrained(original)
    measured_by = step_report.open_images(
        record, first, num_images, dataset, split
    )
    images, calibrated_by = run_images.batches(
        record, model, run_images.TRAINING, num_images, dataset, split
    )
    images = [element["image"] for element in images]
    if options.get("recovery_epochs"):
        _require_batches(images)
    options = {"seed": record.seed or 0} | options
    found = pruning.prune(model, images, **options)
    asked = {
        "images": calibrated_by,
        "num_images": sum(map(len, images)),
        **options,
    }
    report = _report(first, found, measured_by, asked)
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


def _require_batches(images):
    if len(images) < 2:
        raise ValueError(
            "--recovery_epochs needs two batches of images, since one is held "
            f"out: more than {run_images.BATCH_SIZE} "
            "(--num_calibration_images, or another --dataset). Received: "
            f"{sum(map(len, images))} images."
        )


def _report(model, found, images, options):
    """Measures the pruned network beside the original."""
    return step_report.measure(
        model,
        [network.of_model(model), network.of_model(found.model)],
        images,
        step="prune",
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
    )


def _settings(record, found):
    """Returns the settings of the run, with the widths of its network."""
    settings = run_settings.elsewhere(record.settings)
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

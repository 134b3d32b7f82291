"""What a chain of compressions leaves: a table and pictures.

chain.txt   a line for the original and for each step
chain.png   the score of each against its size and its latency
<step>/kept_widths.png   what each block of a pruned network has kept
"""

import dataclasses

import numpy as np

from tf_simmim import atomic_file
from tf_simmim import export
from tf_simmim import run as run_files
from tf_simmim import training
from tf_simmim import visualization
from tf_simmim.compression import latency
from tf_simmim.compression import table
from tf_simmim.export import tflite_network
from tf_simmim.programs import compression_chain
from tf_simmim.programs import quantise_step

TABLE, PICTURE = "chain.txt", "chain.png"
_BATCH_SIZES = (1, 8)
_OF_DETECTORS = (
    " They are those of the features alone, without the head of the detector; "
    "the score and the weights are those of the whole."
)


@dataclasses.dataclass(frozen=True)
class Row:
    """The original, or what a step has left.

    Attributes:
        name: str.
        score: float, or None without labels.
        kl: float, nats, from the original; None of what has no report.
        num_weights: int, or None.
        num_bytes: int, of the file for TensorFlow Lite, or None.
        latency: tuple of `Latency`, of that file.
        note: str. Why a step was rolled back; empty for what was kept.
    """

    name: str
    score: float | None
    kl: float | None
    num_weights: int | None
    num_bytes: int | None
    latency: tuple
    note: str = ""


def write(run, folder, outcomes) -> str:
    """Measures what a chain has kept side by side, writes and tells it.

    The files of all, of the original and of what was pruned in float32, are
    run by TensorFlow Lite in turn, with one thread. What was rolled back is in
    the table with the numbers of its report.

    Args:
        run: path of the original's run.
        folder: path of the chain.
        outcomes: list of `Outcome`, one at the least.

    Returns:
        str: the table.
    """
    kept = [outcome for outcome in outcomes if outcome.folder]
    networks = [_network(run)]
    for outcome in kept:
        options = {}
        if outcome.step.name == "quantise":
            options = outcome.step.options
        networks.append(_network(outcome.folder, options))
    record = run_files.read_record(run)
    shape = (*record.input.image_size, record.input.channels)
    times = _latencies(networks, shape)
    reports = [outcome.report for outcome in outcomes if outcome.report]
    score, scores = None, {}
    if reports:
        score = compression_chain.main_score(reports[0])
        scores = reports[0].original.scores
    rows = [
        Row(
            "original",
            scores.get(score),
            0.0,
            networks[0].num_weights,
            networks[0].num_bytes,
            times[0],
        )
    ]
    for outcome in outcomes:
        if outcome.report is None:
            rows.append(
                Row(outcome.name, None, None, None, None, (), outcome.broken)
            )
            continue
        compressed = outcome.report.compressed
        row = Row(
            outcome.name,
            compressed.scores.get(score),
            outcome.report.agreement.kl,
            compressed.num_weights,
            compressed.num_bytes,
            (),
            outcome.broken,
        )
        if outcome.folder:
            place = kept.index(outcome) + 1
            row = dataclasses.replace(
                row, num_bytes=networks[place].num_bytes, latency=times[place]
            )
        rows.append(row)
    text = _table(rows, score, record.model.kind == "detector")
    atomic_file.write_text(folder / TABLE, f"{text}\n")
    with training.going_on_without(str(folder / PICTURE)):
        _draw(folder, rows, score, kept)
    return text


def _network(folder, options=None):
    """Returns the `Network` of a run's file for TensorFlow Lite."""
    options = options or {"kind": "float32"}
    model, preprocessing, _ = export.read_run(folder)
    network, _ = tflite_network.create(
        export.Signatures(model, preprocessing),
        options["kind"],
        calibration=quantise_step.calibration(folder, model, options),
        input_type=options.get("input_type", "float32"),
    )
    return network


def _latencies(networks, image_shape):
    columns = []
    for batch_size in _BATCH_SIZES:
        blank = np.zeros([batch_size, *image_shape], np.float32)
        functions = [network.forward(blank) for network in networks]
        columns.append(latency.interleaved(functions, batch_size))
    return [tuple(row) for row in zip(*columns, strict=True)]


def _table(rows, score, is_detector):
    """Returns the rows as text."""
    first = rows[0]
    title = "" if score is None else table.title_of(score)
    cells = [["", title, "KL", "weights", "file", "ms, batch 1", "ms, batch 8"]]
    for row in rows:
        times = [
            f"{now.median_ms:.2f} ({then.median_ms / now.median_ms:.2f}x)"
            for then, now in zip(first.latency, row.latency, strict=False)
        ]
        cells.append(
            [
                row.name + (" (rolled back)" if row.note else ""),
                "-" if row.score is None else f"{row.score:.4f}",
                "-" if row.kl is None else f"{row.kl:.5f}",
                "-" if row.num_weights is None else f"{row.num_weights:,}",
                "-"
                if row.num_bytes is None
                else table.format_bytes(row.num_bytes),
                *(times or ["-", "-"]),
            ]
        )
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    ]
    notes = [
        f"{row.name}: rolled back, {row.note}." for row in rows if row.note
    ]
    return "\n".join(
        [
            *lines,
            "",
            *notes,
            "Files and times: TensorFlow Lite, one thread, all in turn; in "
            "brackets how many times as fast as the original."
            + (_OF_DETECTORS if is_detector else ""),
        ]
    )


def _draw(folder, rows, score, kept):
    if score is not None:
        points = {
            row.name: (
                row.score,
                (row.num_bytes / 1e6, row.latency[1].median_ms),
            )
            for row in rows
            if row.latency
        }
        picture = visualization.trade_off_chart(
            points,
            table.title_of(score),
            ("size, MB", f"latency at batch {_BATCH_SIZES[1]}, ms"),
        )
        visualization.write_png(folder / PICTURE, picture)
    for outcome in kept:
        report = outcome.report
        if outcome.step.name == "prune" and report.compressed.blocks:
            picture = visualization.kept_widths(
                report.original.blocks, report.compressed.blocks
            )
            visualization.write_png(outcome.folder / "kept_widths.png", picture)

"""A report as text for a terminal."""

_SCORES = {
    "accuracy": "accuracy",
    "mean_iou": "mean IoU",
    "pixel_accuracy": "accuracy of pixels",
    "mean_average_precision": "mean average precision",
    "knn": "k-NN accuracy",
    "linear": "accuracy of a linear probe",
}


def title_of(score: str) -> str:
    """Returns what a score is called in words."""
    return _SCORES.get(score, score)


def format_report(report) -> str:
    """Formats a report as a table.

    Args:
        report: `CompressionReport`.

    Returns:
        str: a heading, a line for each number of both networks with their
        ratio or difference, and a line that says how they agree.
    """
    before, after = report.original, report.compressed
    rows = [(f"{report.kind}, {report.step}", "original", "smaller", "")]
    for name, value in after.scores.items():
        first = before.scores.get(name)
        change = "" if first is None else f"{value - first:+.4f}"
        texts = ["-" if v is None else f"{v:.4f}" for v in (first, value)]
        rows.append((title_of(name), texts[0], texts[1], change))
    for title, name, format_one in (
        ("weights", "num_weights", "{:,}".format),
        ("operations, backbone", "flops", "{:,}".format),
        ("file", "num_bytes", format_bytes),
        ("peak memory", "peak_memory", format_bytes),
    ):
        pair = getattr(before, name), getattr(after, name)
        if None not in pair:
            share = f"{pair[1] / pair[0]:.3f}" if pair[0] else ""
            rows.append((title, *map(format_one, pair), share))
    for first, second in zip(before.latency, after.latency, strict=True):
        rows.append(
            (
                f"ms, batch {first.batch_size}",
                _latency(first),
                _latency(second),
                f"{first.median_ms / second.median_ms:.2f}x as fast",
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) if i in (0, 3) else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return "\n".join([*lines, "", _closing(report)])


def format_bytes(number: int) -> str:
    """Returns a number of bytes in words."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if number >= size:
            return f"{number / size:.2f} {unit}"
    return f"{number} bytes"


def _latency(latency):
    return (
        f"{latency.median_ms:.2f} ({latency.low_ms:.2f}-{latency.high_ms:.2f})"
    )


def _closing(report):
    found = report.agreement
    cka = "" if found.cka is None else f", CKA of features {found.cka:.4f}"
    best = f"the same best answer for {100 * found.agreement:.1f} %"
    after = report.compressed
    return (
        f"KL of {found.of} {found.kl:.5f}, {best}{cka}: "
        f"{report.num_images} images, {report.images}.\n"
        f"Latency: median and middle half of {_num_runs(after)} runs in turn, "
        f"{after.runtime}, threads: {after.num_threads}."
    )


def _num_runs(measurement):
    return min((row.num_runs for row in measurement.latency), default=0)

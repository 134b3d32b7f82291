"""The table that sets a pretrained backbone beside what it has to beat."""


def knn_report(pretrained, untrained, raw_pixels) -> dict:
    """Collects k-NN accuracies into a JSON-able dict.

    Args:
        pretrained: {block: float in [0, 1]}. Accuracy of each block.
        untrained: {block: float in [0, 1]}. Of the same blocks of the same
            network before training.
        raw_pixels: float in [0, 1]. Accuracy of the pixels themselves.

    Returns:
        dict with these three; blocks become strings, as JSON has them.

    Raises:
        ValueError: the two have different blocks.
    """
    if set(pretrained) != set(untrained):
        raise ValueError(
            "`untrained` must have the blocks of `pretrained`. Received: "
            f"{sorted(untrained)} and {sorted(pretrained)}."
        )
    blocks = sorted(pretrained)
    return {
        "pretrained": {str(block): pretrained[block] for block in blocks},
        "untrained": {str(block): untrained[block] for block in blocks},
        "raw_pixels": raw_pixels,
    }


def format_report(report) -> str:
    """Formats a report as a table of per cents for a terminal.

    Args:
        report: dict, from `knn_report`.

    Returns:
        str: a heading, and one line each for the pretrained network, the
        untrained one and raw pixels.
    """
    blocks = list(report["pretrained"])
    rows = [["k-NN accuracy, %", *(f"block {block}" for block in blocks)]]
    for name in ("pretrained", "untrained"):
        accuracies = [report[name][block] for block in blocks]
        rows.append([name, *(f"{100 * a:.1f}" for a in accuracies)])
    rows.append(["raw pixels", f"{100 * report['raw_pixels']:.1f}"])
    first = max(len(row[0]) for row in rows)
    rest = max(len(cell) for row in rows for cell in row[1:])
    return "\n".join(
        row[0].ljust(first)
        + "".join("  " + cell.rjust(rest) for cell in row[1:])
        for row in rows
    )

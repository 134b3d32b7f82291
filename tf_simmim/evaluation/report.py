"""The table that sets a pretrained backbone beside what it has to beat."""

NETWORKS = ("pretrained", "untrained")


def probe_report(pretrained, untrained, raw_pixels, settings) -> dict:
    """Collects scores into a JSON-able dict.

    Args:
        pretrained: {block: {column: Score}}, from `probe_blocks`.
        untrained: the same, of the same network before training.
        raw_pixels: {column: Score}, from `probe_features`.
        settings: `ProbeSettings` that they were measured with.

    Returns:
        {column: dict} with `title` and `description`, `pretrained` and
        `untrained` ({block: score}) and `raw_pixels` (score); blocks are
        strings, as JSON has them, and a score is a dict from `Score.to_json`.

    Raises:
        ValueError: the two networks have different blocks.
    """
    if set(pretrained) != set(untrained):
        raise ValueError(
            "`untrained` must have the blocks of `pretrained`. Received: "
            f"{sorted(untrained)} and {sorted(pretrained)}."
        )
    networks = dict(zip(NETWORKS, (pretrained, untrained), strict=True))
    return {
        column: {
            **texts,
            **{
                name: {
                    str(block): scores[block][column].to_json()
                    for block in sorted(scores)
                }
                for name, scores in networks.items()
            },
            "raw_pixels": raw_pixels[column].to_json(),
        }
        for column, texts in settings.describe().items()
    }


def format_report(report) -> str:
    """Formats a report as a table of per cents for a terminal.

    Args:
        report: dict, from `probe_report`.

    Returns:
        str: a heading, one line for each block of each network, and one for
        raw pixels. Each accuracy comes with half the width of its interval;
        the best of several blocks has a star.
    """
    first = next(iter(report.values()))
    # A space where a cell may have its star.
    rows = [["accuracy, %", *(f"{s['title']} " for s in report.values())]]
    for name in NETWORKS:
        best = {
            column: max(
                scores[name], key=lambda b, s=scores: s[name][b]["accuracy"]
            )
            for column, scores in report.items()
        }
        for block in first[name]:
            cells = [
                _cell(
                    scores[name][block],
                    is_best=len(scores[name]) > 1 and best[column] == block,
                )
                for column, scores in report.items()
            ]
            rows.append([f"{name}, block {block}", *cells])
    rows.append(
        ["raw pixels", *(_cell(s["raw_pixels"]) for s in report.values())]
    )
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            [
                row[0].ljust(widths[0]),
                *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True)),
            ]
        ).rstrip()
        for row in rows
    )


def _cell(score, is_best=False):
    half = 50 * (score["high"] - score["low"])
    star = "*" if is_best else " "
    return f"{100 * score['accuracy']:.1f} ±{half:.1f}{star}"

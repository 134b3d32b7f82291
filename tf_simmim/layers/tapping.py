"""Layers that return activations from inside of them, besides their output.

Such a layer is called with `taps`, a tuple of words, and then returns (output,
{word: tensor}); without, its output alone. So what is tapped goes through
graphs, XLA and Keras inputs as any output, and no layer keeps anything.
"""


def run(layer, *inputs, taps, **options):
    """Returns (output, {word: tensor}) of a layer, with taps or without."""
    if not taps:
        return layer(*inputs, **options), {}
    return layer(*inputs, taps=taps, **options)


def chosen(taps, known) -> tuple[str, ...]:
    """Returns the words of `taps` that a layer knows."""
    return tuple(name for name in taps if name in known)

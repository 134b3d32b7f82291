"""Names for classes that have none: their numbers."""


def name_classes(source, held_out):
    """Gives sources with labels, but without names of classes, these names.

    The numbers up to the greatest label of the training images, for both; not
    for held-out images with a greater label. It reads all labels.

    Args:
        source: `data.Source` to train on. One with names stays as it is.
        held_out: `data.Source` or None.

    Raises:
        ValueError: there are no labels.
    """
    if source.class_names is not None:
        return
    num_classes = int(source.labels().max()) + 1
    source.class_names = tuple(str(n) for n in range(num_classes))
    if held_out is not None and held_out.labels().max() < num_classes:
        held_out.class_names = source.class_names

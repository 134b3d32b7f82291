"""Flags for judging the features of a run while it trains."""

from absl import flags

from tf_simmim.programs.flags import data_flags
from tf_simmim.programs.flags import input_flags
from tf_simmim.programs.flags import run_flags  # noqa: F401  (a validator)
from tf_simmim.training import callbacks

EVALUATE_EVERY = flags.DEFINE_integer(
    "evaluate_every",
    0,
    "Evaluate the frozen features of several blocks after every so many "
    "steps, a multiple of --log_every_steps, by nearest neighbours and ridge "
    "regression; 0 never does. It needs labels; results are in metrics.jsonl "
    "and TensorBoard.",
    lower_bound=0,
)
EVALUATE_BLOCKS = flags.DEFINE_list(
    "evaluate_blocks",
    None,
    "Evaluate these blocks during training, counted from 0. By default they "
    "are four, spread evenly.",
)
# A run may be continued with other values of these.
CHANGEABLE = ("evaluate_every", "evaluate_blocks")

# Features have to be computed anew every time; more would hold training up.
_MAX_TRAIN_IMAGES = 5000
_BATCH_SIZE = 64

flags.register_validator(
    "evaluate_blocks",
    lambda values: (
        values is None or bool(values) and all(v.isdecimal() for v in values)
    ),
    message="must be numbers of blocks, from 0",
)


@flags.multi_flags_validator(
    ["log_every_steps", "evaluate_every"],
    message="--evaluate_every must be a multiple of --log_every_steps",
)
def _evaluates_at_a_row(values):
    return values["evaluate_every"] % values["log_every_steps"] == 0


def create_evaluation(
    source,
    validation_source,
    *,
    normalization,
    num_blocks,
    image_size,
    seed,
    last_step,
    streams,
):
    """Returns the evaluation that `MetricsLog` asks for, or None for none.

    Args:
        source: `data.Source` of a run; its first images are the neighbours.
        validation_source: `data.Source` or None; whose images are judged.
        normalization: `data.Normalization`.
        num_blocks: int. Of the backbone.
        image_size: (height, width), px.
        seed: int. Of the run.
        last_step: int. The step at which the run is over.
        streams: `open_streams.OpenStreams`, which gets those that it reads.

    Raises:
        ValueError: --evaluate_every is set, and there are no labels of the
            same classes in both sources; or there is no such block. Where the
            training images have no names of classes, numbers are compared.
    """
    if not EVALUATE_EVERY.value:
        return None
    if validation_source is None:
        raise ValueError(
            "--evaluate_every needs held-out images: leave it out for a run "
            "without. Received: --validation_split=."
        )
    data_flags.refuse_shared_images()
    names = source.class_names
    if names is not None and len(names) < 2:
        raise ValueError(
            "--evaluate_every needs two classes or more: leave it out for "
            f"images of one. Received: {source.name}, {names[0]!r} alone."
        )
    if names is not None and names != validation_source.class_names:
        raise ValueError(
            "--evaluate_every needs held-out images of the classes of the "
            "training images: leave it out for others. Received classes: "
            f"{names}, {validation_source.class_names}."
        )
    blocks = None
    if EVALUATE_BLOCKS.value:
        blocks = sorted({int(value) for value in EVALUATE_BLOCKS.value})
        if blocks[-1] >= num_blocks:
            raise ValueError(
                f"--evaluate_blocks must be from 0 to {num_blocks - 1}: the "
                f"backbone has {num_blocks} blocks. "
                f"Received: {','.join(EVALUATE_BLOCKS.value)}."
            )
    train, test = (
        input_flags.first_batches(
            streams.add(
                input_flags.evaluation_stream(
                    part, normalization, seed=seed, size=image_size
                )
            ),
            _BATCH_SIZE,
            num_images,
        )
        for part, num_images in (
            (source, _MAX_TRAIN_IMAGES),
            (validation_source, data_flags.NUM_VALIDATION_IMAGES.value),
        )
    )
    for part, batches in ((source, train), (validation_source, test)):
        if "label" not in batches.element_spec:
            raise ValueError(
                "--evaluate_every needs labels: leave it out for images "
                f"without. Received: {part.name}, which has none."
            )
    return callbacks.OnlineEvaluation(
        train,
        test,
        EVALUATE_EVERY.value,
        last_step,
        blocks,
    )

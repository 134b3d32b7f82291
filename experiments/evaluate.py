"""Measures what a pretrained backbone has learned, without training it.

    python experiments/evaluate.py --workdir=runs/demo

prints the k-NN accuracy of its frozen features (mean of the patch tokens, per
block) beside those of the same network untrained and of raw pixels, and
writes it to `evaluation.json` in the run's folder. A bad image ends it: a
score would be of other images than were asked for.
"""

import json
import sys

import command_line
import compute_flags
import curriculum_flags
import data_flags
import model_flags
import optimization_flags
import run_flags
import strategy_flags  # noqa: F401  (flags that a run's flags.txt sets)
from absl import app
from absl import flags

import tf_simmim  # noqa: F401  (sets TensorFlow up; before TensorFlow itself)
from tf_simmim import evaluation
from tf_simmim import training
from tf_simmim.training import callbacks

# isort: split
import tensorflow as tf

# So that --help shows them.
for _module in (
    compute_flags,
    curriculum_flags,
    data_flags,
    model_flags,
    optimization_flags,
    run_flags,
):
    flags.adopt_module_key_flags(_module)

# Images that the level of predicting a single colour is measured on.
_LEVEL_SAMPLE_SIZE = 512

_KNN_K = flags.DEFINE_integer(
    "knn_k", 20, "Neighbours that vote.", lower_bound=1
)
_KNN_TEMPERATURE = flags.DEFINE_float(
    "knn_temperature", 0.07, "Temperature of the votes.", lower_bound=1e-6
)
_NUM_KNN_IMAGES = flags.DEFINE_integer(
    "num_knn_images",
    20000,
    "Training images that vote, at most.",
    lower_bound=1,
)
_EVALUATION_BATCH_SIZE = flags.DEFINE_integer(
    "evaluation_batch_size", 64, "Images at a time.", lower_bound=1
)


@command_line.plain_errors()
@data_flags.named_errors()
def main(argv):
    """Runs the program."""
    command_line.refuse_leftovers(argv)
    seed = run_flags.SEED.value
    tf.keras.utils.set_random_seed(seed)
    compute_flags.set_precision()

    train_source = data_flags.open_source()
    test_source = data_flags.open_validation_source()
    names = [s and s.class_names for s in (train_source, test_source)]
    if None in names or names[0] != names[1]:
        raise ValueError(
            "k-NN needs labelled images to vote, and held-out ones of the same "
            f"classes to be judged. Received classes: {names[0]}, {names[1]}."
        )
    run = run_flags.run_directory()
    store = training.CheckpointStore(run.checkpoints)
    if store.latest() is None:
        raise ValueError(
            f"{run.path} has no checkpoint yet: the run has to reach the first "
            "of --checkpoint_every_steps, or its end."
        )
    manifest = store.newest_valid()
    phase = curriculum_flags.phase_to_evaluate(manifest)
    model = curriculum_flags.create_simmim(phase, train_source.channels, seed)
    train, test = (
        data_flags.first_batches(
            data_flags.evaluation_stream(
                *(source, model.masking.random_mask, seed),
                replace_bad_images=False,
                size=phase.image_size,
            ),
            _EVALUATION_BATCH_SIZE.value,
            num_images,
        )
        for source, num_images in (
            (train_source, _NUM_KNN_IMAGES.value),
            (test_source, data_flags.NUM_VALIDATION_IMAGES.value),
        )
    )
    options = {
        "num_classes": len(train_source.class_names),
        "k": _KNN_K.value,
        "temperature": _KNN_TEMPERATURE.value,
    }

    def knn():
        return evaluation.knn_accuracy_by_block(
            model.backbone, train, test, **options
        )

    untrained = knn()
    checkpoint = tf.train.Checkpoint(model=model)
    store.restore(checkpoint, set_aside=False, manifest=manifest)
    pretrained = knn()
    train_pixels, train_labels = evaluation.raw_pixel_features(train)
    test_pixels, test_labels = evaluation.raw_pixel_features(test)
    pixels = evaluation.knn_accuracy(
        train_pixels, train_labels, test_pixels, test_labels, **options
    )
    loss = evaluation.reconstruction_loss(model, test)

    report = evaluation.knn_report(pretrained, untrained, pixels)
    step = manifest["step"]
    results = {"step": step, "validation_loss": loss, "knn": report}
    loss_text = f"Held-out reconstruction loss: {loss:.3f}"
    if model_flags.loss_is_in_pixels():
        sample = next(iter(test.unbatch().batch(_LEVEL_SAMPLE_SIZE)))
        level = callbacks.single_colour_loss(sample)
        results["single_colour_loss"] = level
        loss_text += f" (predicting the best single colour: {level:.3f})"
    path = run.path / "evaluation.json"
    path.write_text(json.dumps(results, indent=2) + "\n")
    print(
        f"\nFrozen features at step {step}: {len(test_labels)} test images, "
        f"{_KNN_K.value} nearest of {len(train_labels)} training images.\n"
    )
    print(evaluation.format_report(report))
    print(f"\n{loss_text}")
    run_flags.print_closing(run)


if __name__ == "__main__":
    app.run(
        main, argv=command_line.resolve(command_line.with_run_flags(sys.argv))
    )

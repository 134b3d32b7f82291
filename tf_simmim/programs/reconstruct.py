"""Shows what a pretrained model puts where an image is hidden.

    python experiments/reconstruct.py photo.jpg other.png --run=runs/mine

draws a row for each image file (JPEG, PNG, GIF, BMP): input, masked,
prediction, composite and error, with the masked L1 and PSNR over the hidden
pixels and the SSIM of the composite, beside those of a smooth fill from the
visible pixels, which knows no images. The mask is the model's own unless
--mask_ratio, --mask_patch_size or --mask_strategy say otherwise.

For a model with other than 1 or 3 channels, images are NumPy arrays (.npy,
uint8 [height, width, channels]).

Exit code: 0; 1 when an image could not be used (the others are still drawn).
"""

import os

import tensorflow as tf
from absl import flags

from tf_simmim import evaluation
from tf_simmim import masking
from tf_simmim import randomness
from tf_simmim import visualization
from tf_simmim.programs import command_line
from tf_simmim.programs import image_files
from tf_simmim.programs.flags import masking_flags
from tf_simmim.programs.flags import trained_run_flags

FLAGS = flags.FLAGS
_MASK_FLAGS = ("mask_patch_size", "mask_ratio", "mask_strategy")

_OUTPUT = flags.DEFINE_string(
    "output", "reconstruction.png", "Write the picture to this PNG file."
)
_MASK_SEED = flags.DEFINE_integer(
    "mask_seed", 0, "Draw the masks from this seed."
)


def main(argv):
    """Runs the program."""
    image_files.exit_with(draw(argv[1:]))


@command_line.plain_errors()
def draw(paths):
    """Writes the picture; returns sentences on the images it lacks."""
    image_files.require_files(paths)
    image_files.require_writable(_OUTPUT.value)
    model, normalization = trained_run_flags.load_simmim()
    mask = _random_mask(model)
    paths, images, failures = image_files.read_images(
        paths, model.backbone, normalization
    )
    if images is None:
        return failures
    seeds = [
        randomness.seed_for(_MASK_SEED.value, randomness.MASK, i)
        for i in range(len(paths))
    ]
    patch_mask = tf.stack([mask.sample(seed) for seed in seeds])
    parts = [
        model.reconstruct(*batch)["reconstruction"]
        for batch in zip(
            image_files.batches(images),
            image_files.batches(patch_mask),
            strict=True,
        )
    ]
    reconstruction = tf.concat(parts, axis=0)
    hidden = masking.to_pixel_mask(patch_mask, mask.patch_size) == 1
    errors, smooth_errors = (
        evaluation.reconstruction_errors(
            images, patch_mask, guess, normalization
        )
        for guess in (
            reconstruction,
            evaluation.FILLS["from_neighbours"](images, hidden),
        )
    )
    captions = [
        f"{image_files.name(os.path.basename(path))}: "
        f"{_numbers(errors, i)}\nsmooth fill: {_numbers(smooth_errors, i)}"
        for i, path in enumerate(paths)
    ]
    picture = visualization.reconstruction_grid(
        images,
        patch_mask,
        reconstruction,
        normalization,
        error_map=errors["error_map"],
        captions=captions,
    )
    visualization.write_png(_OUTPUT.value, picture)
    print("\n".join(captions))
    print(
        f"\nHidden: {mask.num_hidden} of {mask.num_mask_patches} squares of "
        f"{mask.mask_patch_size} px."
    )
    trained_run_flags.print_notes(model)
    print(f"Picture: {_OUTPUT.value}")
    return failures


def _random_mask(model):
    """Returns the model's mask generator, but for what flags say."""
    size, ratio, strategy = (
        FLAGS[name].value if FLAGS[name].present else getattr(model, name)
        for name in _MASK_FLAGS
    )
    backbone = model.backbone
    return masking.create(
        strategy, backbone.image_size, backbone.patch_size, size, ratio
    )


def _numbers(errors, i):
    return (
        f"masked L1 {errors['masked_l1'][i]:.4f}, "
        f"PSNR {errors['psnr'][i]:.2f} dB, SSIM {errors['ssim'][i]:.3f}"
    )


def launch(argv):
    """Runs the program, and ends the process.

    Args:
        argv: list of str. The command line, program name first.
    """
    # IMAGE may stand before, between or after the flags.
    FLAGS.set_gnu_getopt(True)
    command_line.run(main, argv, flag_groups=(masking_flags, trained_run_flags))

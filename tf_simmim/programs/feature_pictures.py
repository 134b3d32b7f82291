"""Shows what a pretrained backbone sees in images.

    python experiments/feature_pictures.py a.jpg b.jpg --run=runs/mine
        --kind=pca,attention,neighbours --folder=PATH

writes to --output_dir, for each --kind:

* pca.png: features of patches as colours, their three leading components over
  all given images; a column for each --block.
* attention.png: what --query attends to, the mean of all heads and each head;
  a row for each image and --block. For a ViT or Swin.
* neighbours.png: the images of --folder whose features (mean of the patch
  tokens of the first --block) are nearest by cosine, with names and cosines.

Exit code: 0; 1 when an image could not be used (the others are still drawn).
"""

import os

from absl import flags

from tf_simmim import visualization
from tf_simmim.programs import command_line
from tf_simmim.programs import feature_rows
from tf_simmim.programs import image_files
from tf_simmim.programs.flags import trained_run_flags

_KINDS = {
    "pca": feature_rows.pca,
    "attention": feature_rows.attention,
    "neighbours": feature_rows.neighbours,
}
_KIND = flags.DEFINE_list(
    "kind", ["pca"], f"Draw these pictures: some of {', '.join(_KINDS)}."
)
_OUTPUT_DIR = flags.DEFINE_string(
    "output_dir", ".", "Write the pictures to this folder."
)
_BLOCK = flags.DEFINE_list(
    "block",
    None,
    "Look at these blocks, counted from 0. By default pca looks at four, "
    "evenly spread, and the others at the one at two thirds of the depth, "
    "where SimMIM's features are best.",
)
_FOLDER = flags.DEFINE_string(
    "folder",
    None,
    "Find neighbours among the images of this folder. By default there is "
    "none, and --kind=neighbours needs one.",
)
_NUM_NEIGHBOURS = flags.DEFINE_integer(
    "num_neighbours",
    5,
    "Show this many neighbours of each image.",
    lower_bound=1,
)
_QUERY = flags.DEFINE_list(
    "query",
    ["mean"],
    "Show what this attends to: mean (the queries of all patches), class (the "
    "class token), or ROW,COLUMN of a patch, counted from 0.",
)


def _are_kinds(values):
    return bool(values) and all(value in _KINDS for value in values)


flags.register_validator(
    "kind", _are_kinds, message=f"must be of {', '.join(_KINDS)}"
)
flags.register_validator(
    "block",
    lambda values: (
        values is None or (values and all(v.isdecimal() for v in values))
    ),
    message="must be whole numbers, 0 or more",
)
flags.register_validator(
    "query",
    lambda values: (
        values in (["mean"], ["class"])
        or (len(values) == 2 and all(v.isdecimal() for v in values))
    ),
    message="must be mean, class or ROW,COLUMN",
)


def main(argv):
    """Runs the program."""
    image_files.exit_with(draw(argv[1:]))


@command_line.plain_errors()
def draw(paths):
    """Writes the pictures; returns sentences on images they lack."""
    image_files.require_files(paths)
    if ("neighbours" in _KIND.value) != (_FOLDER.value is not None):
        raise ValueError(
            "--folder and --kind=neighbours go together. Received: "
            f"--kind={','.join(_KIND.value)}, --folder={_FOLDER.value}."
        )
    image_files.make_folder(_OUTPUT_DIR.value)
    files = {
        kind: os.path.join(_OUTPUT_DIR.value, f"{kind}.png")
        for kind in _KIND.value
    }
    for file in files.values():
        image_files.require_writable(file)
    model, normalization = trained_run_flags.load_run()
    paths, images, failures = image_files.read_images(
        paths, model.backbone, normalization
    )
    if images is None:
        return failures
    request = feature_rows.Request(
        backbone=model.backbone,
        normalization=normalization,
        paths=paths,
        images=images,
        blocks=_BLOCK.value and [int(block) for block in _BLOCK.value],
        query=_query(),
        folder=_FOLDER.value,
        num_neighbours=_NUM_NEIGHBOURS.value,
    )
    for kind, file in files.items():
        table, more_failures = _KINDS[kind](request)
        failures += more_failures
        visualization.write_png(file, visualization.picture_table(*table))
        print(f"Picture: {file}")
    trained_run_flags.print_notes(model)
    return failures


def _query():
    if len(_QUERY.value) == 2:
        return tuple(int(place) for place in _QUERY.value)
    return _QUERY.value[0]


def launch(argv):
    """Runs the program, and ends the process.

    Args:
        argv: list of str. The command line, program name first.
    """
    # IMAGE may stand before, between or after the flags.
    flags.FLAGS.set_gnu_getopt(True)
    command_line.run(main, argv, flag_groups=(trained_run_flags,))

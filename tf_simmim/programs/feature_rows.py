"""The tables of pictures that `feature_pictures.py` draws.

Dimension key:
  B: images   H W: image, px   C: channels   h w: grid of a block
  K: num_heads   D: width of the features
"""

import concurrent.futures
import dataclasses
import itertools
import os
from typing import Any

import numpy as np
import tensorflow as tf
import tqdm
from PIL import Image

from tf_simmim import data
from tf_simmim import evaluation
from tf_simmim import visualization
from tf_simmim.programs import image_files

_THREADS = 4
_NUM_PCA_BLOCKS = 4
# Pale yellow is this many times an even share of attention, or more.
_LEAST_CONTRAST = 4.0
_FRAME_COLOUR = (255, 0, 160)


@dataclasses.dataclass(frozen=True)
class Request:
    """What to draw.

    Attributes:
        backbone: a backbone of `tf_simmim.backbones`.
        normalization: `data.Normalization` of the images.
        paths: list of str, the files of the images.
        images: float32 [B, H, W, C]. Normalised.
        blocks: list of int, or None for the default of each picture.
        query: as `visualization.attention_maps` takes it.
        folder: str or None. Where to look for neighbours.
        num_neighbours: int.
    """

    backbone: Any
    normalization: data.Normalization
    paths: list[str]
    images: tf.Tensor
    blocks: list[int] | None
    query: Any
    folder: str | None
    num_neighbours: int

    @property
    def names(self):
        """The names of the files, without their folders."""
        return [_name(path) for path in self.paths]

    @property
    def pictures(self):
        """The images as uint8 [B, H, W, 3]."""
        return self.to_pictures(self.images)

    def to_pictures(self, images):
        """Returns normalised images as uint8 [B, H, W, 3]."""
        return visualization.to_rgb(self.normalization.denormalize(images))

    def blocks_or(self, default):
        """Returns the blocks that were asked for, or else the default."""
        return default if self.blocks is None else self.blocks


def pca(request):
    """Returns ((rows, headings, captions), failures) of features as colours."""
    num_blocks = request.backbone.num_blocks
    spread = list(range(num_blocks))
    if num_blocks > _NUM_PCA_BLOCKS:
        spread = np.linspace(0, num_blocks - 1, _NUM_PCA_BLOCKS + 1)[1:]
    blocks = request.blocks_or([round(block) for block in spread])
    parts = [
        request.backbone.block_features(batch, blocks)
        for batch in image_files.batches(request.images)
    ]
    columns = [request.pictures]
    for feature_maps in zip(*parts, strict=True):
        colours = visualization.feature_colours(tf.concat(feature_maps, 0))
        columns.append([_enlarged(c, columns[0][0]) for c in colours])
    headings = ["image", *(f"block {block}" for block in blocks)]
    return (list(zip(*columns, strict=True)), headings, request.names), []


def attention(request):
    """Returns ((rows, headings, captions), failures) of attention maps."""
    rows, captions = [], []
    for block in request.blocks_or([_middle(request.backbone)]):
        parts = [
            visualization.attention_maps(
                request.backbone, batch, block, request.query
            )
            for batch in image_files.batches(request.images)
        ]
        for picture, heads, name in zip(
            request.pictures, np.concatenate(parts), request.names, strict=True
        ):
            row = [_outlined(picture, request.query, heads.shape[1:])]
            row += [
                _heat(picture, head) for head in (heads.mean(axis=0), *heads)
            ]
            rows.append(row)
            captions.append(f"{name}, block {block}")
    num_heads = max(map(len, rows)) - 2
    headings = ["image", "mean", *(f"head {i}" for i in range(num_heads))]
    return (rows, headings, captions), []


def neighbours(request):
    """Returns ((rows, headings, captions), failures) of nearest images."""
    source = data.FolderSource(request.folder, split="all")
    block = request.blocks_or([_middle(request.backbone)])[0]
    queries = np.concatenate(
        [
            _mean_tokens(request.backbone, images, block)
            for images in image_files.batches(request.images)
        ]
    )
    paths, features, failures = _folder_features(
        request, [os.fsdecode(path) for path in source.paths], block
    )
    if not paths:
        raise ValueError(f"{request.folder} has no good image.")
    k = min(request.num_neighbours, len(paths))
    indices, cosines = evaluation.nearest_images(queries, features, k)
    rows, captions = [], []
    for picture, name, nearest, similarities in zip(
        request.pictures, request.names, indices, cosines, strict=True
    ):
        found, images, _ = image_files.read_images(
            [paths[i] for i in nearest], request.backbone, request.normalization
        )
        rows.append([picture, *request.to_pictures(images)])
        captions.append(
            [name]
            + [
                f"{_name(path)}\n{cosine:.4f}"
                for path, cosine in zip(found, similarities, strict=True)
            ]
        )
    headings = ["image", *(f"{i + 1}" for i in range(k))]
    return (rows, headings, captions), failures


def _folder_features(request, paths, block):
    """Returns (good paths, float32 [number of these, D], failures)."""
    good, parts, failures = [], [], []

    def read(path):
        return image_files.read_images(
            [path], request.backbone, request.normalization
        )

    with concurrent.futures.ThreadPoolExecutor(_THREADS) as threads:
        with tqdm.tqdm(total=len(paths), disable=None, leave=False) as bar:
            for chunk in image_files.batches(paths):
                found, images, failed = zip(
                    *threads.map(read, chunk), strict=True
                )
                failures += itertools.chain(*failed)
                good += itertools.chain(*found)
                images = [image for image in images if image is not None]
                if images:
                    images = tf.concat(images, axis=0)
                    parts.append(_mean_tokens(request.backbone, images, block))
                bar.update(len(chunk))
    return good, np.concatenate(parts) if parts else None, failures


def _mean_tokens(backbone, images, block):
    (feature_map,) = backbone.block_features(images, [block])
    return tf.reduce_mean(tf.cast(feature_map, tf.float32), [1, 2]).numpy()


def _middle(backbone):
    return max(0, round(2 * backbone.num_blocks / 3) - 1)


def _heat(picture, head):
    """Lays a map of attention [h, w] over a picture."""
    # Even attention must not look like a lot of it.
    largest = max(head.max(), _LEAST_CONTRAST / head.size)
    return visualization.heat_overlay(
        picture, _enlarged(head, picture), largest
    )


def _outlined(picture, query, grid):
    """Draws a frame around the patch that attends, if it is one."""
    if isinstance(query, str):
        return picture
    sizes = [
        side // cells for side, cells in zip(picture.shape, grid, strict=False)
    ]
    top, left = (place * size for place, size in zip(query, sizes, strict=True))
    bottom, right = top + sizes[0], left + sizes[1]
    framed = picture.copy()
    framed[top:bottom, left:right] = _FRAME_COLOUR
    inside = np.s_[top + 1 : bottom - 1, left + 1 : right - 1]
    framed[inside] = picture[inside]
    return framed


def _enlarged(cells, picture):
    """Returns cells, as large as a picture and without smoothing."""
    height, width = picture.shape[:2]
    resized = Image.fromarray(cells).resize((width, height), Image.NEAREST)
    return np.asarray(resized)


def _name(path):
    return image_files.name(os.path.basename(path))

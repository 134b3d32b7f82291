"""The maps of several strides that dense tasks need, of any backbone.

Dimension key:
  B: batch   h w: map of a level   F: width of the pyramid
"""

import tensorflow as tf

from tf_simmim import layers


def create(backbone, width, dtype_policy) -> tuple:
    """Creates the feature pyramid that fits a backbone.

    What stands in for hidden patches in the backbone is set not to be
    trained, since none is hidden.

    Args:
        backbone: a backbone of `tf_simmim.backbones`.
        width: int > 0, F. Features of every map.
        dtype_policy: `tf.keras.mixed_precision.Policy` of the layer.

    Returns:
        (layer, strides): `layers.FeaturePyramid`, or, for a backbone of one
        stride, `layers.SimpleFeaturePyramid`; and the strides of its maps,
        list of int, px, finest first.

    Raises:
        ValueError: `width` is not positive.
    """
    for name in ("mask_token", "mask_color"):
        if hasattr(backbone, name):
            getattr(backbone, name).trainable = False
    strides = sorted(backbone.pyramid(blank(backbone)))
    options = {"dtype": dtype_policy, "name": "pyramid"}
    if len(strides) == 1:
        pyramid = layers.SimpleFeaturePyramid(strides[0], width, **options)
        return pyramid, list(pyramid.strides)
    return layers.FeaturePyramid(len(strides), width, **options), strides


def blank(backbone) -> tf.Tensor:
    """Returns an image of zeros, float32 [1, H, W, C], to build a model."""
    return tf.zeros([1, *backbone.image_size, backbone.channels])


def maps_of(backbone, pyramid, images, training, seed) -> list[tf.Tensor]:
    """Returns the maps of images, float [B, h, w, F] each, finest first.

    Args:
        backbone: as of `create`.
        pyramid: the layer that `create` returned.
        images: float [B, H, W, C], normalised.
        training: bool or None.
        seed: int64 [2] or None. Of drop path.
    """
    maps = backbone.pyramid(images, training=training, seed=seed)
    maps = [maps[stride] for stride in sorted(maps)]
    return pyramid(maps if len(maps) > 1 else maps[0])

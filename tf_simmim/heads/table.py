"""Named prediction heads: one table, one constructor."""

from tf_simmim.heads import cross_attention_head
from tf_simmim.heads import decoder_head
from tf_simmim.heads import mlp_head
from tf_simmim.heads import prediction_head

HEADS = {
    "linear": prediction_head.PredictionHead,
    "mlp": mlp_head.MLPHead,
    "decoder": decoder_head.DecoderHead,
    "cross_attention": cross_attention_head.CrossAttentionHead,
}


def create(head: str, stride: int, channels: int = 3, **options):
    """Creates the head of a name.

    Args:
        head: str. A key of `HEADS`.
        stride: int, px per cell of the feature map.
        channels: int. Image channels.
        **options: other constructor arguments of the head, and of
            `tf.keras.layers.Layer`.

    Raises:
        ValueError: unknown name. Or from the constructor.
    """
    if head not in HEADS:
        raise ValueError(
            f"`head` must be one of {tuple(HEADS)}. Received: {head!r}."
        )
    return HEADS[head](stride, channels, **options)


def create_for(backbone, head: str, **options):
    """Creates the head of a name for what a backbone makes of images.

    Args:
        backbone: a backbone of `tf_simmim.backbones`.
        head: str. A key of `HEADS`.
        **options: as of `create`.

    Raises:
        ValueError: a head that sees one cell at a time, for a backbone with
            `visible_only`: the features of a hidden cell know nothing of the
            others. Or from `create`.
    """
    created = create(head, backbone.stride, backbone.channels, **options)
    if created.is_pointwise and getattr(backbone, "visible_only", False):
        raise ValueError(
            "`head` must be one that attends to visible cells for a backbone "
            'with `visible_only`: "decoder" or "cross_attention" '
            "(--head=decoder, --head=cross_attention). "
            f"Received: {head!r}."
        )
    return created

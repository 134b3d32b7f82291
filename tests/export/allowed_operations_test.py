"""Tests for tf_simmim.export.allowed_operations: every model's graph passes."""

import pytest
import tensorflow as tf

from tests.export import tiny
from tf_simmim import backbones
from tf_simmim import masking
from tf_simmim import models
from tf_simmim.export import allowed_operations
from tf_simmim.export import graph_lint
from tf_simmim.export import writer


def convolutional(**options):
    return backbones.Convolutional(
        (tiny.H, tiny.W), depths=(1, 1), widths=(6, 10), **options
    )


def visible_only(**options):
    backbone = tiny.vit(
        visible_only=True,
        relative_position="none",
        absolute_position="sincos",
    )
    return tiny.simmim(backbone, **options)


# Each strategy of masking beside another backbone.
STRATEGIES = dict(
    zip(
        ("vit_learned", "swin", "swin_v2", "convnext", "resnet"),
        masking.STRATEGIES,
        strict=True,
    )
)
BACKBONES = {
    "vit_learned": lambda: tiny.vit(
        absolute_position="learned", relative_position="per_block"
    ),
    "swin": tiny.swin,
    "swin_v2": lambda: tiny.swin(version=2),
    "convnext": lambda: convolutional(extractor="convnext_tiny"),
    "resnet": lambda: convolutional(extractor="resnet18", masking="stem_token"),
}
OPTIONS = {
    "swin": {"target": "window_normalized"},
    "swin_v2": {"head": "mlp"},
    "resnet": {"target": "patch_normalized"},
}
MODELS = {
    **{
        name: lambda name=name, strategy=strategy: tiny.simmim(
            BACKBONES[name](),
            mask_strategy=strategy,
            **OPTIONS.get(name, {}),
        )
        for name, strategy in STRATEGIES.items()
    },
    "swin_classifier": lambda: tiny.classifier(tiny.swin()),
    "decoder": lambda: visible_only(head="decoder"),
    "cross_attention": lambda: visible_only(head="cross_attention"),
    "segmenter": lambda: models.Segmenter(tiny.swin(), 4, width=8),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_the_graph_of_every_model_is_clean(name, tmp_path):
    model = MODELS[name]()
    writer._write_graph(tmp_path / "1", model, tiny.preprocessing(model))
    graph = graph_lint.read_meta_graph(tmp_path / "1")
    assert graph_lint.operation_problems(graph) == []
    assert graph_lint.xla_problems(graph) == []
    assert graph_lint.batch_problems(graph) == []
    assert graph_lint.dtype_problems(graph) == []
    assert graph_lint.signature_problems(graph) == []


def test_nothing_that_is_listed_touches_files_or_python():
    listed = allowed_operations.COMPUTING
    known = {name for name in dir(tf.raw_ops) if not name.startswith("_")}
    assert listed - known - {"Placeholder", "Const"} == set()
    words = ("File", "Py", "Print", "Save", "Restore", "Dataset", "Iterator")
    words += ("Xla", "Send", "Recv", "Rpc", "Collective", "Queue", "Reader")
    for name in listed:
        assert not any(word in name for word in words), name
    assert len(allowed_operations.RESTORING - listed) == 6

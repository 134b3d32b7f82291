"""Models converted from Hugging Face's own, in PyTorch, beside them.

Skipped where torch and transformers are not installed (extra `bench`).
"""

import numpy as np
import pytest

from tf_simmim import convert

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
transformers = pytest.importorskip(
    "transformers", reason="transformers is not installed"
)
pytestmark = [
    pytest.mark.slow,
    # transformers writes with functions that PyTorch will remove.
    pytest.mark.filterwarnings("default"),
]
ATOL = 2e-5  # float32 sums in another order; 1e-6 measured
VIT = dict(
    hidden_size=24,
    num_hidden_layers=3,
    num_attention_heads=3,
    intermediate_size=72,
    patch_size=8,
    encoder_stride=8,
)
FAMILIES = ("Beit", "Data2VecVision", "DeiT", "ViTMAE", "Dinov2")
SWIN = dict(
    image_size=96,
    embed_dim=12,
    depths=[1, 2, 2],
    num_heads=[1, 2, 4],
    window_size=6,
    encoder_stride=16,
)


def vit(kind, **options):
    config = transformers.ViTConfig(**{**VIT, **options})
    return randomized(getattr(transformers, kind)(config))


def other_vit(name, **options):
    """A model of a kind that shares a ViT's network: "Beit", "DeiT" ..."""
    family = next(f for f in FAMILIES if name.startswith(f))
    config = getattr(transformers, f"{family}Config")
    options = {**VIT, "image_size": 32, **options}
    return randomized(getattr(transformers, name)(config(**options)))


def swin(kind, **options):
    config = transformers.SwinConfig(**{**SWIN, **options})
    return randomized(getattr(transformers, kind)(config))


def randomized(model):
    """Weights so large that a wrong one shows, biases and norms too."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.copy_(0.3 * noise)
    return model.eval()


def images(height, width):
    rng = np.random.default_rng(1)
    return rng.normal(size=[2, height, width, 3]).astype(np.float32)


def theirs(model, x, **options):
    pixels = torch.from_numpy(np.transpose(x, [0, 3, 1, 2]).copy())
    with torch.no_grad():
        return model(pixels, **options)


def converted(model, folder, **options):
    """By way of the files that transformers writes."""
    model.save_pretrained(folder)
    file = convert.open_weights(folder)
    conversion = convert.convert_weights(file.weights, file.facts, **options)
    assert len(conversion.report.used) + len(conversion.report.unused) == len(
        file.weights
    )
    # Names in memory are others than in the file, since transformers 5.
    in_memory = {name: t.numpy() for name, t in model.state_dict().items()}
    again = convert.convert_weights(in_memory, file.facts, **options)
    for got, want in zip(
        again.model.backbone.trainable_weights,
        conversion.model.backbone.trainable_weights,
        strict=True,
    ):
        if "mask_token" not in want.name:
            np.testing.assert_array_equal(got, want)
    return conversion


@pytest.mark.parametrize("size", [(32, 32), (32, 48)])
@pytest.mark.parametrize("qkv_bias", [True, False])
def test_features_of_a_vit(tmp_path, size, qkv_bias):
    model = vit("ViTModel", image_size=size, qkv_bias=qkv_bias)
    conversion = converted(model, tmp_path)
    assert conversion.report.unused.keys() == {
        "pooler.dense.weight",
        "pooler.dense.bias",
    }
    x = images(*size)
    want = theirs(model, x).last_hidden_state[:, 1:].numpy()
    got = conversion.model.backbone(x).numpy()
    np.testing.assert_allclose(got.reshape(want.shape), want, 0, ATOL)
    assert np.abs(want).max() > 0.5


def test_masked_image_modeling_with_a_vit(tmp_path):
    model = vit("ViTForMaskedImageModeling", image_size=32)
    conversion = converted(model, tmp_path)
    assert_same_reconstruction(model, conversion, images(32, 32), (4, 4))


def test_masked_image_modeling_with_a_swin(tmp_path):
    model = swin("SwinForMaskedImageModeling")
    conversion = converted(model, tmp_path)
    assert_same_reconstruction(model, conversion, images(96, 96), (24, 24))


def assert_same_reconstruction(model, conversion, x, grid):
    assert conversion.report.unused == conversion.report.missing == {}
    mask = np.random.default_rng(2).integers(0, 2, [2, *grid])
    out = theirs(
        model, x, bool_masked_pos=torch.from_numpy(mask.reshape(2, -1)).bool()
    )
    got = conversion.model.reconstruct(x, mask.astype(np.int32))
    want = out.reconstruction.numpy().transpose(0, 2, 3, 1)
    np.testing.assert_allclose(got["reconstruction"], want, 0, ATOL)


@pytest.mark.parametrize(
    "name, prefix, options",
    [
        ("BeitForImageClassification", "beit.", "use_relative_position_bias"),
        (
            "BeitForMaskedImageModeling",
            "beit.",
            "use_shared_relative_position_bias use_mask_token",
        ),
        ("BeitModel", "", "use_absolute_position_embeddings"),
        (
            "Data2VecVisionForImageClassification",
            "data2vec_vision.",
            "use_relative_position_bias",
        ),
        ("ViTMAEForPreTraining", "vit.", ""),
        ("Dinov2ForImageClassification", "dinov2.", ""),
    ],
)
def test_features_of_what_shares_the_network(tmp_path, name, prefix, options):
    model = other_vit(
        name,
        mask_ratio=0.0,
        use_mean_pooling=bool(prefix),
        **dict.fromkeys(options.split(), True),
    )
    conversion = converted(model, tmp_path)
    assert conversion.report.prefix == prefix
    base = getattr(model, model.base_model_prefix, model)
    x = images(32, 32)
    # In its order, of which MAE's encoder leaves no patch out.
    order = torch.arange(16.0).repeat(2, 1)
    options = {"noise": order} if "MAE" in name else {}
    want = theirs(base, x, **options).last_hidden_state
    if name == "BeitForMaskedImageModeling":
        with torch.no_grad():
            want = model.layernorm(want)
    got = conversion.model.backbone(x).numpy()
    got = got.reshape(2, 16, -1)
    np.testing.assert_allclose(got, want[:, 1:].numpy(), 0, ATOL)


def test_the_classes_of_a_beit(tmp_path):
    model = other_vit(
        "BeitForImageClassification",
        use_relative_position_bias=True,
        num_labels=5,
    )
    conversion = converted(model, tmp_path, keep_head=True)
    assert conversion.report.unused == {}
    x = images(32, 32)
    want = theirs(model, x).logits.numpy()
    np.testing.assert_allclose(conversion.model(x), want, 0, ATOL)


def test_a_deit_is_refused_for_its_token_of_distillation(tmp_path):
    model = other_vit("DeiTForImageClassificationWithTeacher")
    with pytest.raises(
        ValueError, match=r"No place for: \['deit.*distillation_token'\]"
    ):
        converted(model, tmp_path)
    report = converted(
        model, tmp_path, allow_unused=["*distillation_token"]
    ).report
    assert report.changed.keys() == {"deit.embeddings.position_embeddings"}


@pytest.mark.parametrize(
    "options",
    [{}, {"qkv_bias": False}, {"window_size": 3}, {"image_size": 192}],
)
def test_features_of_a_swin(tmp_path, options):
    model = swin("SwinModel", **options)
    conversion = converted(model, tmp_path)
    assert conversion.report.unused == {}
    x = images(*[options.get("image_size", 96)] * 2)
    want = theirs(model, x).last_hidden_state.numpy()
    got = conversion.model.backbone(x).numpy()
    np.testing.assert_allclose(got.reshape(want.shape), want, 0, ATOL)
    assert np.abs(want).max() > 0.5


def test_the_classes_of_a_swin(tmp_path):
    model = swin("SwinForImageClassification", num_labels=5)
    conversion = converted(model, tmp_path, keep_head=True)
    assert conversion.report.unused == {}
    x = images(96, 96)
    want = theirs(model, x).logits.numpy()
    np.testing.assert_allclose(conversion.model(x), want, 0, ATOL)


def test_a_pytorch_file_gives_the_same_as_safetensors(tmp_path):
    model = vit("ViTModel", image_size=32)
    path = tmp_path / "pytorch_model.bin"
    torch.save(model.state_dict(), path)
    weights, others = convert.read_torch(path)
    assert others == {}
    for name, tensor in model.state_dict().items():
        np.testing.assert_array_equal(weights[name], tensor.numpy())


@pytest.mark.parametrize(
    "options, reason",
    [
        ({"hidden_act": "relu"}, "hidden_act is 'relu'"),
        ({"use_absolute_embeddings": True}, "embeddings.position_embeddings"),
    ],
)
def test_what_has_no_equal_here_is_refused(tmp_path, options, reason):
    model = swin("SwinModel", **options)
    with pytest.raises(ValueError, match=reason):
        converted(model, tmp_path)

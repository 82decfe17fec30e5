"""A Hugging Face SamModel with random weights, saved as a folder and loaded here, gives the same answers."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from anymask.errors import WeightsError
from anymask.model.weights import load
from anymask.prompts.types import PromptBatch

os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
import transformers

SIZE = 256


@pytest.fixture(scope="module")
def theirs() -> nn.Module:
    """A small SamModel whose every parameter, biases and tables included, is random."""
    config = transformers.SamConfig(
        vision_config=transformers.SamVisionConfig(
            hidden_size=64, num_hidden_layers=4, num_attention_heads=4, image_size=SIZE, global_attn_indexes=[1, 3]
        ),
        prompt_encoder_config=transformers.SamPromptEncoderConfig(image_size=SIZE),
        mask_decoder_config=transformers.SamMaskDecoderConfig(),
    )
    model = transformers.SamModel(config).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            fan_in = parameter[0].numel() if parameter.ndim > 1 else 1
            is_scale = parameter.ndim == 1 and "norm" in name and name.endswith("weight")
            parameter.copy_(1 + 0.1 * noise if is_scale else noise * (0.1 if parameter.ndim == 1 else fan_in**-0.5))
        model.shared_image_embedding.positional_embedding.copy_(torch.randn(2, 128, generator=generator))
    return model


@pytest.fixture(scope="module")
def folder(theirs: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("folder")
    theirs.save_pretrained(path)
    return path


def points(generator: torch.Generator, prompts: int, tokens: int) -> tuple[Tensor, Tensor]:
    """(P, N, 2) input pixels and (P, N) labels of 0 and 1."""
    xy = torch.rand(prompts, tokens, 2, generator=generator) * SIZE
    return xy, torch.randint(0, 2, (prompts, tokens), generator=generator)


def assert_agree(theirs: nn.Module, folder: Path, kind: str, *, multimask: bool) -> None:
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(1, 3, SIZE, SIZE, generator=generator)
    asked: dict[str, Tensor] = {}
    xy, labels = points(generator, 5, 3)
    if kind == "box":
        low = torch.rand(5, 2, generator=generator) * SIZE / 2
        corners = torch.stack((low, low + SIZE / 3), dim=1)
        asked["input_boxes"] = corners.flatten(1)[None]
        xy, labels = corners, torch.tensor([2, 3]).expand(5, 2)
    else:
        asked["input_points"], asked["input_labels"] = xy[None], labels[None]
        xy, labels = torch.cat((xy, torch.zeros(5, 1, 2)), 1), torch.cat((labels, -torch.ones(5, 1).long()), 1)
    logits = None
    if kind == "mask":
        mask = torch.randn(1, 1, SIZE // 4, SIZE // 4, generator=generator) * 4
        asked["input_masks"], logits = mask, mask.expand(5, -1, -1, -1)
    ours = load(folder)
    with torch.no_grad():
        expected = theirs(pixel_values=images, **asked, multimask_output=multimask)
        expected_embedding = theirs.get_image_embeddings(images)
        embedding = ours.embed(images)
        got = ours.decode(ours.prepare(embedding), PromptBatch(xy, labels, logits), multimask=multimask)
    torch.testing.assert_close(embedding.main, expected_embedding, rtol=0, atol=1e-4)
    torch.testing.assert_close(got.logits, expected.pred_masks[0], rtol=0, atol=1e-4)
    torch.testing.assert_close(got.iou, expected.iou_scores[0], rtol=0, atol=1e-4)
    assert got.logits.std() > 0.1, "answers that are all alike would prove nothing"


@pytest.mark.parametrize("multimask", [True, False])
@pytest.mark.parametrize("kind", ["points", "box", "mask"])
def test_answers_agree(theirs: nn.Module, folder: Path, kind: str, multimask: bool) -> None:
    assert_agree(theirs, folder, kind, multimask=multimask)


def test_folder_with_a_pickle_loads_the_same(theirs: nn.Module, tmp_path: Path) -> None:
    theirs.config.save_pretrained(tmp_path)
    # As folders from before safetensors have it: the tied matrix twice.
    torch.save(theirs.state_dict(), tmp_path / "pytorch_model.bin")
    assert_agree(theirs, tmp_path, "points", multimask=True)


def test_folder_in_shards_loads_the_same(theirs: nn.Module, tmp_path: Path) -> None:
    theirs.save_pretrained(tmp_path, max_shard_size="1MB")
    assert len(list(tmp_path.glob("model-*.safetensors"))) > 1
    assert_agree(theirs, tmp_path, "points", multimask=True)


@pytest.mark.parametrize("name", ["../model.safetensors", "/etc/passwd", "..", "", "a\\b", "sub/model.safetensors"])
def test_index_that_names_a_file_elsewhere_is_refused(folder: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": name}}))
    with pytest.raises(WeightsError, match="not in its folder"):
        load(tmp_path)


def test_folder_of_another_size_than_its_tensors_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    state = load_file(folder / "model.safetensors")
    del state["vision_encoder.layers.2.attn.qkv.bias"]
    save_file(state, tmp_path / "model.safetensors")
    with pytest.raises(WeightsError, match=r"1 missing \(image_encoder.blocks.2.attn.qkv.bias\)"):
        load(tmp_path)


@pytest.mark.parametrize("content", ["", "{", "[[[[", "null", "[]"])
def test_folder_with_a_damaged_description_is_refused(folder: Path, tmp_path: Path, content: str) -> None:
    (tmp_path / "config.json").write_text(content)
    (tmp_path / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    with pytest.raises(WeightsError, match=r"config\.json"):
        load(tmp_path)


def test_folder_without_weights_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    with pytest.raises(WeightsError, match=r"neither model\.safetensors nor pytorch_model\.bin"):
        load(tmp_path)

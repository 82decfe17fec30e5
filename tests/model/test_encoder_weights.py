"""An encoder alone on disk: it says what it is, comes back whole, and is taken for nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from anymask.errors import WeightsError
from anymask.model.encoder_weights import holds_encoder, load_encoder, put_encoder, save_encoder
from anymask.model.image_encoder import VitConfig, VitEncoder
from anymask.model.safe_file import content_digest, read_safe
from anymask.model.sam import Sam
from anymask.model.weights import load, save

CONFIG = VitConfig(dim=32, depth=2, heads=2, global_blocks=(1,), window=2, out_dim=16, native_size=64)


@pytest.fixture
def encoder() -> VitEncoder:
    torch.manual_seed(0)
    return VitEncoder(CONFIG)


@pytest.fixture
def file(encoder: VitEncoder, tmp_path: Path) -> Path:
    save_encoder(encoder, tmp_path / "encoder.safetensors", {"step": "7"})
    return tmp_path / "encoder.safetensors"


def test_a_saved_encoder_comes_back_bit_for_bit_without_neck_and_relative_positions(
    encoder: VitEncoder, file: Path
) -> None:
    weights, whole = load_encoder(file), encoder.state_dict()
    assert weights.config == CONFIG
    left_out = {name for name in whole if name.startswith("neck.") or "rel_pos" in name}
    assert weights.state.keys() == whole.keys() - left_out
    assert all(torch.equal(value, whole[name]) for name, value in weights.state.items())
    assert read_safe(file)[1]["step"] == "7"


def test_it_is_refused_as_a_whole_model_with_what_to_do(file: Path) -> None:
    with pytest.raises(WeightsError, match=r"pre-trained encoder alone.*anymask train --from .*encoder\.safetensors"):
        load(file)


def test_a_whole_model_is_refused_as_an_encoder(model: Sam, tmp_path: Path) -> None:
    save(model, tmp_path / "m.safetensors")
    assert not holds_encoder(tmp_path / "m.safetensors")
    with pytest.raises(WeightsError, match="does not hold an encoder alone"):
        load_encoder(tmp_path / "m.safetensors")


def test_only_files_of_encoders_are_taken_for_such(file: Path) -> None:
    (file.parent / "damaged.safetensors").write_bytes(file.read_bytes()[:50])
    (file.parent / "copy.pth").write_bytes(file.read_bytes())
    assert holds_encoder(file)
    assert not any(holds_encoder(name) for name in ("tiny", file.parent, file.parent / "absent.safetensors"))
    assert not any(holds_encoder(file.parent / name) for name in ("damaged.safetensors", "copy.pth"))


def test_a_changed_byte_is_noticed(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(bytes(content))
    with pytest.raises(WeightsError, match="does not hash"):
        load_encoder(file)


@pytest.mark.parametrize(
    "change", [{"depth": 10**9}, {"dim": 64}, {"heads": 3}, {"native_size": 10**6 * 16}, {"surprise": 1}], ids=str
)
def test_a_false_configuration_is_refused_before_memory_is_taken(file: Path, change: dict[str, int]) -> None:
    state, notes = read_safe(file)
    notes["encoder_config"] = json.dumps(json.loads(notes["encoder_config"]) | change)
    del notes["content_sha256"]
    save_file(state, file, notes | {"content_sha256": content_digest(notes, state)})
    with pytest.raises(WeightsError, match=r"encoder\.safetensors"):
        load_encoder(file)


def test_values_that_are_not_finite_are_not_written(encoder: VitEncoder, tmp_path: Path) -> None:
    with torch.no_grad():
        encoder.pos_embed[0, 0, 0, 0] = float("nan")
    with pytest.raises(WeightsError, match="NaN"):
        save_encoder(encoder, tmp_path / "x.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_an_encoder_takes_the_weights_and_keeps_its_neck(encoder: VitEncoder, file: Path) -> None:
    torch.manual_seed(1)
    other = VitEncoder(replace(CONFIG, native_size=128, window=3, out_dim=24))
    torch.nn.init.ones_(other.blocks[0].attn.rel_pos_h)
    neck = other.neck[0].weight.clone()
    put_encoder(load_encoder(file), other, "here")
    assert torch.equal(other.blocks[1].mlp.lin1.weight, encoder.blocks[1].mlp.lin1.weight)
    assert other.pos_embed.shape == (1, 8, 8, 32)
    assert torch.equal(other.neck[0].weight, neck)
    assert not other.blocks[0].attn.rel_pos_h.any()


def test_sizes_that_do_not_fit_are_both_named(file: Path) -> None:
    with pytest.raises(WeightsError, match=r"here holds an encoder of 2 blocks of 32 .*; .* one of 3 blocks of 32 "):
        put_encoder(load_encoder(file), VitEncoder(replace(CONFIG, depth=3)), "here")

"""Loading, finding and saving weights with real files; test_damaged_weights.py has the bad ones."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

import anymask
from anymask.errors import ChecksumError, ConfigError, DownloadError, WeightsError
from anymask.model import weights
from anymask.model.registry import entry_named
from anymask.model.sam import Sam, SamConfig
from anymask.model.weights import cache_directory, load, model_hash, save
from anymask.prompts.types import PromptBatch
from tests.model.small_models import small_vit_config, state_of


def answers(model: Sam) -> tuple[Tensor, ...]:
    """What the model says to a fixed picture and click."""
    pixels = torch.linspace(0, 255, 3 * 100 * 120).reshape(1, 3, 100, 120)
    with torch.no_grad():
        embedding = model.embed(model.preprocess(pixels))
        prompts = PromptBatch(torch.tensor([[[40.0, 50.0], [0.0, 0.0]]]), torch.tensor([[1, -1]]))
        prediction = model.decode(model.prepare(embedding), prompts, multimask=True)
    return embedding.main, *embedding.finer, prediction.logits, prediction.iou


def test_saved_model_comes_back_bit_for_bit(model: Sam, tmp_path: Path) -> None:
    save(model, tmp_path / "m.safetensors", {"licence": "none"})
    back = load(tmp_path / "m.safetensors")
    assert back.config == model.config
    assert not back.training
    assert all(torch.equal(a, b) for a, b in zip(answers(model), answers(back), strict=True))
    assert model_hash(back) == model_hash(model)


def test_load_is_a_name_of_the_package(model: Sam, tmp_path: Path) -> None:
    save(model, tmp_path / "m.safetensors")
    assert isinstance(anymask.load(str(tmp_path / "m.safetensors")), Sam)
    assert "load" in dir(anymask)
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        _ = anymask.lode


def test_half_files_are_half_as_long_and_load_as_float32(model: Sam, tmp_path: Path) -> None:
    save(model, tmp_path / "full.safetensors")
    save(model, tmp_path / "half.safetensors", half=True)
    full, half = ((tmp_path / f"{name}.safetensors").stat().st_size for name in ("full", "half"))
    assert half < 0.55 * full
    back = load(tmp_path / "half.safetensors")
    assert back.dtype == torch.float32
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(back.state_dict()[name], tensor, rtol=1e-3, atol=1e-6)
    matrix = "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"
    assert torch.equal(back.state_dict()[matrix], model.state_dict()[matrix])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_dtype_is_the_callers(model: Sam, tmp_path: Path, dtype: torch.dtype) -> None:
    save(model, tmp_path / "m.safetensors")
    assert load(tmp_path / "m.safetensors", dtype=dtype).dtype == dtype


def test_metadata_is_kept_beside_the_configuration(model: Sam, tmp_path: Path) -> None:
    save(model, tmp_path / "m.safetensors", {"licence": "research only"})
    header = (tmp_path / "m.safetensors").read_bytes()
    notes = json.loads(header[8 : 8 + int.from_bytes(header[:8], "little")])["__metadata__"]
    assert notes["licence"] == "research only"
    assert json.loads(notes["config"])["input_size"] == 128


@pytest.mark.parametrize("name", ["vit_b", "vit_l", "vit_h"])
def test_architectures_of_the_release_are_recognised_by_their_shapes(name: str) -> None:
    with torch.device("meta"):
        state = Sam.from_name(name).state_dict()
    assert weights.infer_config(state) == SamConfig.named(name)


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_pth_with_public_names_loads_as_it_is(vit: Sam, tmp_path: Path, legacy: bool) -> None:
    torch.save(vit.state_dict(), tmp_path / "vit.pth", _use_new_zipfile_serialization=not legacy)
    back = load(tmp_path / "vit.pth")
    assert back.config == vit.config
    assert all(torch.equal(a, b) for a, b in zip(answers(vit), answers(back), strict=True))


def test_safetensors_without_configuration_is_recognised_by_shapes(vit: Sam, tmp_path: Path) -> None:
    save_file(state_of(vit), tmp_path / "vit.safetensors")
    assert load(tmp_path / "vit.safetensors").config == vit.config


def test_hash_tells_weights_configurations_and_dtypes_apart(model: Sam, tmp_path: Path) -> None:
    first = model_hash(model)
    save(model, tmp_path / "m.safetensors")
    other = load(tmp_path / "m.safetensors")
    assert model_hash(other) == first
    assert model_hash(load(tmp_path / "m.safetensors", dtype=torch.bfloat16)) != first
    with torch.no_grad():
        other.mask_decoder.iou_token.weight[0, 0] += 1
    assert model_hash(other) != first


# ---- finding files ----


def test_embedded_weights_that_are_not_there_are_a_clear_error() -> None:
    entry = replace(entry_named("tiny"), file_name="absent.safetensors")
    with pytest.raises(WeightsError, match=r"no weights/absent\.safetensors; install a released wheel"):
        weights._embedded(entry)


def test_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(WeightsError, match=r"'vit_x'; known are tiny, tiny_loop_start, vit_b, vit_l, vit_h"):
        load("vit_x")


@pytest.mark.parametrize("name", ["no/such.pth", "nothing.safetensors"])
def test_missing_file_is_refused_by_name(name: str) -> None:
    with pytest.raises(WeightsError, match=f"no file or folder {name}"):
        load(name)


def test_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "weights.h5").write_bytes(b"HDF")
    with pytest.raises(WeightsError, match="weights come in no other form"):
        load(tmp_path / "weights.h5")


def test_false_file_under_a_released_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / entry_named("vit_b").file_name).write_bytes(b"not it")
    with pytest.raises(ChecksumError, match=r"has 6 bytes, sam_vit_b_01ec64\.pth has 375,042,383"):
        load("vit_b", cache_dir=tmp_path)


def test_offline_names_the_file_and_where_to_put_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")  # no way out, whatever network the machine has
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setenv("ANYMASK_CACHE", str(tmp_path / "from environment"))
    with pytest.raises(DownloadError, match=r"sam_vit_b_01ec64\.pth") as caught:
        load("vit_b")
    assert f"put it at {tmp_path / 'from environment' / 'sam_vit_b_01ec64.pth'}" in str(caught.value)


def test_cache_directory_is_the_argument_then_the_variable_then_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ANYMASK_CACHE", str(tmp_path / "variable"))
    assert cache_directory(tmp_path / "argument") == tmp_path / "argument"
    assert cache_directory("~/argument") == tmp_path / "argument"
    assert cache_directory() == tmp_path / "variable"
    monkeypatch.delenv("ANYMASK_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_directory() == tmp_path / "xdg" / "anymask"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_directory() == tmp_path / ".cache" / "anymask"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert cache_directory() == tmp_path / "Library" / "Caches" / "anymask"


def test_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigError, match="device 'warp' cannot be used"):
        load("tiny", device="warp")


def test_dtype_that_no_path_computes_in_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"torch\.int8 is not one of"):
        load("tiny", dtype=torch.int8)


# ---- writing ----


def test_parameters_too_large_for_half_are_refused(tmp_path: Path) -> None:
    model = Sam(small_vit_config())
    with torch.no_grad():
        model.mask_decoder.iou_token.weight[0, 0] = 1e6
    with pytest.raises(WeightsError, match="NaN or infinity"):
        save(model, tmp_path / "m.safetensors", half=True)
    assert list(tmp_path.iterdir()) == []


def test_folder_that_is_not_there_is_a_clear_error(tmp_path: Path, model: Sam) -> None:
    with pytest.raises(WeightsError, match="cannot write"):
        save(model, tmp_path / "none" / "m.safetensors")


FULL_DISK = """
import resource, sys
from pathlib import Path
import torch
from anymask.errors import WeightsError
from anymask.model.weights import load, save
path = Path(sys.argv[1])
model = load(path)
with torch.no_grad():
    model.mask_decoder.iou_token.weight += 1
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    save(model, path)
except WeightsError as error:
    print(error)
"""


def test_write_that_fails_half_way_leaves_the_old_file_whole(tmp_path: Path, vit: Sam) -> None:
    path = tmp_path / "m.safetensors"
    save(vit, path)
    answer = subprocess.run([sys.executable, "-c", FULL_DISK, path], capture_output=True, text=True, check=True)
    assert "what was there before is unchanged" in answer.stdout
    assert model_hash(load(path)) == model_hash(vit)
    assert list(tmp_path.iterdir()) == [path]

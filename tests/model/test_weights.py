"""Loading and saving with real files: good ones, damaged ones, and ones made to do harm."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

import anymask
from anymask.errors import ChecksumError, ConfigError, DownloadError, WeightsError
from anymask.model import weights
from anymask.model.image_encoder import VitConfig
from anymask.model.mask_decoder import MaskDecoderConfig
from anymask.model.prompt_encoder import PromptEncoderConfig
from anymask.model.registry import entry_named
from anymask.model.sam import Sam, SamConfig, tiny_config
from anymask.model.weights import cache_directory, load, model_hash, save
from anymask.prompts.types import PromptBatch

State = dict[str, Tensor]


@pytest.fixture(scope="module")
def model() -> Sam:
    """A tiny model with seeded random weights, none of them zero."""
    torch.manual_seed(0)
    return Sam(tiny_config(dim=32, input_size=128)).eval()


@pytest.fixture(scope="module")
def vit() -> Sam:
    """A ViT of the released form, small enough to write many times."""
    torch.manual_seed(1)
    return Sam(small_vit_config()).eval()


def small_vit_config() -> SamConfig:
    return SamConfig(
        image_encoder=VitConfig(dim=32, depth=3, heads=2, global_blocks=(1,), window=3, native_size=128, out_dim=16),
        prompt_encoder=PromptEncoderConfig(dim=16, mask_channels=8),
        mask_decoder=MaskDecoderConfig(dim=16, depth=3, mlp_dim=24, iou_hidden=20),
        input_size=128,
    )


def state_of(model: Sam) -> State:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


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


# ---- harm ----


class Payload:
    """Runs a command when an ordinary unpickler reads it."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch {self.marker}",)


def bare_pickle(path: Path, content: object) -> None:
    path.write_bytes(pickle.dumps(content, protocol=2))


def legacy_form(path: Path, content: object) -> None:
    torch.save(content, path, _use_new_zipfile_serialization=False)


def hidden_in_storage_record(path: Path, content: object) -> None:
    """A whole good checkpoint whose data.pkl was exchanged afterwards."""
    torch.save({"a": torch.ones(2)}, path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, pickle.dumps(content, protocol=2) if name.endswith("data.pkl") else data)


FORMS = [torch.save, bare_pickle, legacy_form, hidden_in_storage_record]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
@pytest.mark.parametrize("suffix", ["pth", "bin"])
def test_malicious_pickle_is_refused_and_never_executed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, vit: Sam, form: Callable[..., None], suffix: str
) -> None:
    # The way by which torch itself can be told to be unsafe must not reach us either.
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    marker, path = tmp_path / "executed", tmp_path / f"evil.{suffix}"
    content = {**vit.state_dict(), "payload": Payload(marker)}
    if form is torch.save:
        torch.save(content, path)
    else:
        form(path, content)
    with pytest.raises(WeightsError, match="refused: it holds more than tensors"):
        load(path)
    assert not marker.exists()
    if form is bare_pickle:
        pickle.loads(path.read_bytes())
        assert marker.exists(), "the file was harmful"


def test_malicious_pickle_in_a_folder_is_refused_and_never_executed(tmp_path: Path) -> None:
    marker = tmp_path / "executed"
    (tmp_path / "config.json").write_text('{"model_type": "sam"}')
    torch.save({"payload": Payload(marker)}, tmp_path / "pytorch_model.bin")
    with pytest.raises(WeightsError, match="refused"):
        load(tmp_path)
    assert not marker.exists()


def test_compressed_archive_is_refused_before_it_grows(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\0" * 50_000_000)
        archive.writestr("archive/version", "3")
    with pytest.raises(WeightsError, match="members are compressed"):
        load(tmp_path / "bomb.pth")


def test_whole_pickled_module_is_refused(tmp_path: Path, vit: Sam) -> None:
    torch.save(vit, tmp_path / "module.pth")
    with pytest.raises(WeightsError, match="refused"):
        load(tmp_path / "module.pth")


@pytest.mark.parametrize("content", [[1, 2], {"model": {"a": 1}}, {1: torch.ones(1)}, torch.ones(3)])
def test_pickle_of_something_else_is_refused(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "odd.pth")
    with pytest.raises(WeightsError, match="not a plain dict of named tensors"):
        load(tmp_path / "odd.pth")


@pytest.mark.parametrize("keep", [0, 1, 100, 0.5, 0.999])
def test_cut_pth_is_refused(tmp_path: Path, vit: Sam, keep: float) -> None:
    torch.save(vit.state_dict(), tmp_path / "vit.pth")
    data = (tmp_path / "vit.pth").read_bytes()
    (tmp_path / "vit.pth").write_bytes(data[: int(keep if keep >= 1 else keep * len(data))])
    with pytest.raises(WeightsError, match=r"vit\.pth"):
        load(tmp_path / "vit.pth")


def split(path: Path) -> tuple[dict[str, dict[str, object]], bytes]:
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def join(path: Path, header: dict[str, dict[str, object]], body: bytes) -> None:
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + body)


TOKEN = "mask_decoder.iou_token.weight"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("data_offsets", [0, 1 << 40]),
        ("data_offsets", [-4, 60]),
        ("data_offsets", [64, 0]),
        ("data_offsets", [0, 64]),
        ("shape", [1, 1 << 60]),
        ("shape", [-1, 16]),
        ("shape", [16]),
        ("dtype", "F64"),
        ("dtype", "Q8"),
    ],
)
@pytest.mark.parametrize("described", [True, False], ids=["ours", "without configuration"])
def test_safetensors_with_a_false_header_is_refused(
    tmp_path: Path, vit: Sam, field: str, value: object, described: bool
) -> None:
    path = tmp_path / "m.safetensors"
    save(vit, path)
    header, body = split(path)
    if not described:
        header["__metadata__"] = {}
    header[TOKEN][field] = value
    join(path, header, body)
    with pytest.raises(WeightsError, match=r"m\.safetensors"):
        load(path)


@pytest.mark.parametrize("content", [b"", b"\0" * 7, b"\xff" * 64, (1 << 62).to_bytes(8, "little") + b"{}", b"<html>"])
def test_file_that_is_no_safetensors_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.safetensors").write_bytes(content)
    with pytest.raises(WeightsError, match="not a whole safetensors file"):
        load(tmp_path / "m.safetensors")


def test_any_flipped_byte_of_our_own_files_is_refused(tmp_path: Path, vit: Sam) -> None:
    path = tmp_path / "m.safetensors"
    save(vit, path, {"licence": "none"})
    data = path.read_bytes()
    rng = np.random.default_rng(0)
    header = 8 + int.from_bytes(data[:8], "little")
    blank = {i for i in range(header - 8, header) if data[i : i + 1] == b" "}
    places = {*rng.integers(0, header, 120).tolist(), *rng.integers(0, len(data), 80).tolist()} - blank
    for place in sorted(places):
        flipped = bytearray(data)
        flipped[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(flipped)
        with pytest.raises(WeightsError):
            load(path)


@pytest.mark.parametrize("key", [b'"config":', b'"content_sha256":', b'"licence":'])
def test_a_damaged_name_in_the_header_is_refused(tmp_path: Path, vit: Sam, key: bytes) -> None:
    path = tmp_path / "m.safetensors"
    save(vit, path, {"licence": "none"})
    data = path.read_bytes()
    assert data.count(key) == 1
    path.write_bytes(data.replace(key, b'"k' + key[2:]))
    with pytest.raises(WeightsError, match="damaged"):
        load(path)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("form", ["pth", "safetensors"])
def test_values_that_are_not_finite_are_refused(tmp_path: Path, vit: Sam, value: float, form: str) -> None:
    state = state_of(vit)
    state[TOKEN][0, 3] = value
    path = tmp_path / f"m.{form}"
    torch.save(state, path) if form == "pth" else save_file(state, path)
    with pytest.raises(WeightsError, match=f"NaN or infinity .*{TOKEN}"):
        load(path)


def drop(state: State) -> None:
    del state["mask_decoder.transformer.layers.1.norm2.weight"]


def add(state: State) -> None:
    state["mask_decoder.extra"] = torch.zeros(1)


def reshape(state: State) -> None:
    state["mask_decoder.transformer.layers.1.norm2.weight"] = torch.zeros(17)


def make_integers(state: State) -> None:
    state[TOKEN] = state[TOKEN].long()


def forget_encoder(state: State) -> None:
    for name in [name for name in state if name.startswith("image_encoder")]:
        del state[name]


def mix_windows(state: State) -> None:
    state["image_encoder.blocks.0.attn.rel_pos_h"] = torch.zeros(3, 16)


def flatten(state: State) -> None:
    state["image_encoder.pos_embed"] = torch.zeros(1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (drop, r"1 missing \(mask_decoder.transformer.layers.1.norm2.weight\)"),
        (add, r"1 unknown \(mask_decoder.extra\)"),
        (reshape, r"is \(17,\) instead of \(16,\)"),
        (make_integers, "1 not float"),
        (forget_encoder, "no tensor is called 'image_encoder"),
        (mix_windows, r"windows of \[2, 3\]"),
        (flatten, "make no Segment Anything model"),
        (dict.clear, "found 0 tensors"),
    ],
)
def test_tensors_that_are_not_the_models_are_refused_by_name(
    tmp_path: Path, vit: Sam, change: Callable[[State], None], message: str
) -> None:
    state = state_of(vit)
    change(state)
    torch.save(state, tmp_path / "m.pth")
    with pytest.raises(WeightsError, match=message):
        load(tmp_path / "m.pth")


def claim(model: Sam, path: Path, **changes: object) -> None:
    """A file whose configuration says something else than its tensors, with a digest that fits."""
    state = state_of(model)
    plain = weights.to_plain(model.config)
    for key, value in changes.items():
        part, _, field = key.partition("__")
        if field:
            plain[part][field] = value
        else:
            plain[part] = value
    notes = {"format": "pt", "config": json.dumps(plain)}
    notes["content_sha256"] = weights._content_digest(notes, state)
    save_file(state, path, notes)


@pytest.mark.parametrize(
    "changes",
    [
        {"mask_decoder__depth": 10**9},
        {"image_encoder__context_depth": 10**6},
        {"mask_decoder__mlp_dim": 10**12},
        {"mask_decoder__mlp_dim": -5},
        {"mask_decoder__heads": 0},
        {"input_size": "large"},
        {"input_size": None},
        {"surprise": 1},
        {"mask_decoder": []},
        {"image_encoder": {"dim": 1}},
    ],
    ids=str,
)
def test_false_configuration_is_refused_before_memory_is_taken(
    tmp_path: Path, model: Sam, changes: dict[str, object]
) -> None:
    claim(model, tmp_path / "m.safetensors", **changes)
    with pytest.raises(WeightsError, match=r"m\.safetensors"):
        load(tmp_path / "m.safetensors")


def test_honest_claim_loads(tmp_path: Path, model: Sam) -> None:
    claim(model, tmp_path / "m.safetensors")
    assert model_hash(load(tmp_path / "m.safetensors")) == model_hash(model)


def test_configuration_without_digest_is_refused(tmp_path: Path, model: Sam) -> None:
    save_file(state_of(model), tmp_path / "m.safetensors", {"config": json.dumps(weights.to_plain(model.config))})
    with pytest.raises(WeightsError, match="does not hash"):
        load(tmp_path / "m.safetensors")


# ---- finding files ----


def test_embedded_weights_that_are_not_there_are_a_clear_error() -> None:
    entry = replace(entry_named("tiny"), file_name="absent.safetensors")
    with pytest.raises(WeightsError, match=r"no weights/absent\.safetensors; install a released wheel"):
        weights._embedded(entry)


def test_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(WeightsError, match=r"'vit_x'; known are tiny, vit_b, vit_l, vit_h"):
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

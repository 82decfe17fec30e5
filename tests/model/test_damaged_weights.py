"""Weights that are damaged, false, or made to do harm: refused with the reason, never executed."""

from __future__ import annotations

import json
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from anymask.errors import WeightsError
from anymask.model import weights
from anymask.model.safe_file import content_digest
from anymask.model.sam import Sam
from anymask.model.weights import load, model_hash, save
from tests.model.small_models import State, state_of


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
    notes["content_sha256"] = content_digest(notes, state)
    save_file(state, path, notes)


@pytest.mark.parametrize(
    "changes",
    [
        {"mask_decoder__depth": 10**9},
        {"image_encoder__context_depth": 10**6},
        {"image_encoder__wide_depth": 10**6},
        {"image_encoder__wide_dim": 10**12, "image_encoder__wide_depth": 1},
        {"image_encoder__detail_depth": -1},
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

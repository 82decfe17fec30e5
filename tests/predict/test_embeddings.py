"""A saved embedding comes back whole, and is refused for another model, another picture or a damaged file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from anymask.errors import EmbeddingMismatchError, InputError
from anymask.model.embedding import ImageEmbedding
from anymask.model.sam import Sam
from anymask.predict import Predictor
from anymask.predict.embeddings import load_embedding, save_embedding
from anymask.prompts.types import Prompt

PROMPT = Prompt(points_xy=[[20, 30]])


@pytest.fixture
def saved(predictor: Predictor, picture: npt.NDArray[np.uint8], tmp_path: Path) -> Path:
    predictor.set_image(picture)
    path = tmp_path / "picture.safetensors"
    predictor.save_embedding(path)
    return path


def rewrite(path: Path, notes: dict[str, str] | None = None, tensors: dict[str, torch.Tensor] | None = None) -> None:
    """Change what the file at `path` says."""
    with safe_open(path, "pt") as opened:
        found = dict(opened.metadata())
    save_file(load_file(path) | (tensors or {}), path, found | (notes or {}))


def test_a_saved_embedding_answers_as_the_picture_does(
    predictor: Predictor, model: Sam, picture: npt.NDArray[np.uint8], saved: Path
) -> None:
    due = predictor.predict(PROMPT)
    other = Predictor(model)
    loaded = other.load_embedding(saved, image=picture)
    assert loaded.frame == predictor.images[0].frame
    assert np.array_equal(other.predict(PROMPT).logits, due.logits)
    assert np.array_equal(other.predict(PROMPT).masks(), due.masks())


def test_every_map_is_saved(skip_model: Sam, picture: npt.NDArray[np.uint8], tmp_path: Path) -> None:
    embedded = Predictor(skip_model).embed(picture)
    save_embedding(embedded, tmp_path / "e.safetensors")
    loaded = load_embedding(tmp_path / "e.safetensors").embedding
    assert len(loaded.finer) == len(embedded.embedding.finer) == 2
    for a, b in zip((loaded.main, *loaded.finer), (embedded.embedding.main, *embedded.embedding.finer), strict=True):
        assert torch.equal(a, b)


def test_an_embedding_of_another_model_is_refused(
    predictor: Predictor, model: Sam, saved: Path, picture: npt.NDArray[np.uint8]
) -> None:
    embedded = predictor.images[0]
    other = Sam(model.config).eval()
    other.load_state_dict(model.state_dict())
    with torch.no_grad():
        other.mask_decoder.iou_token.weight[0, 0] += 1e-3
    stranger = Predictor(other)
    stranger.set_image(picture)
    before = stranger.images
    with pytest.raises(EmbeddingMismatchError, match="made by model"):
        stranger.load_embedding(saved)
    with pytest.raises(EmbeddingMismatchError, match="made by model"):
        stranger.set_image(embedded)
    assert stranger.images == before


def test_training_a_step_makes_another_model(model: Sam, saved: Path) -> None:
    trained = Sam(model.config).eval()
    trained.load_state_dict(model.state_dict())
    predictor = Predictor(trained)
    embedded = predictor.load_embedding(saved)
    with torch.no_grad():
        trained.prompt_encoder.no_mask_embed.weight.add_(0.01)
    with pytest.raises(EmbeddingMismatchError):
        predictor.set_image(embedded)


def test_an_embedding_of_another_picture_is_refused(
    predictor: Predictor, saved: Path, picture: npt.NDArray[np.uint8]
) -> None:
    changed = picture.copy()
    changed[0, 0, 0] ^= 1
    with pytest.raises(EmbeddingMismatchError, match="is of picture"):
        predictor.load_embedding(saved, image=changed)


@pytest.mark.parametrize("content", [b"", b"not a tensor file", b"\xff" * 100])
def test_another_file_is_refused(predictor: Predictor, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.safetensors"
    path.write_bytes(content)
    with pytest.raises(InputError, match="cannot be read as a saved embedding"):
        predictor.load_embedding(path)


def test_a_missing_file_is_named(predictor: Predictor, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.safetensors"):
        predictor.load_embedding(tmp_path / "nowhere.safetensors")


def test_a_file_cut_short_is_refused(predictor: Predictor, saved: Path) -> None:
    saved.write_bytes(saved.read_bytes()[:-7])
    with pytest.raises(InputError, match="cannot be read"):
        predictor.load_embedding(saved)


def test_a_tensor_file_of_something_else_is_refused(predictor: Predictor, tmp_path: Path) -> None:
    save_file({"main": torch.zeros(1)}, tmp_path / "weights.safetensors")
    with pytest.raises(InputError, match="is not a saved embedding"):
        predictor.load_embedding(tmp_path / "weights.safetensors")


@pytest.mark.parametrize("notes", [{"resized_height": "7"}, {"original_width": "-5"}, {"input_size": "99"}])
def test_sizes_that_do_not_fit_are_refused(predictor: Predictor, saved: Path, notes: dict[str, str]) -> None:
    rewrite(saved, notes)
    with pytest.raises(EmbeddingMismatchError, match="damaged"):
        predictor.load_embedding(saved)


def test_a_size_that_is_no_number_is_refused(predictor: Predictor, saved: Path) -> None:
    rewrite(saved, {"input_size": "big"})
    with pytest.raises(InputError, match="big"):
        predictor.load_embedding(saved)


def test_maps_of_another_shape_or_not_finite_are_refused(predictor: Predictor, saved: Path) -> None:
    main = load_file(saved)["main"]
    for bad in (main[..., :-1].contiguous(), torch.full_like(main, float("nan"))):
        rewrite(saved, tensors={"main": bad})
        with pytest.raises(EmbeddingMismatchError, match="damaged"):
            predictor.load_embedding(saved)


def test_a_finer_map_too_many_is_refused(small_model: Sam, picture: npt.NDArray[np.uint8], tmp_path: Path) -> None:
    predictor = Predictor(small_model)
    embedded = predictor.embed(picture)
    more = ImageEmbedding(embedded.embedding.main, (torch.zeros(1, 8, 16, 16),))
    save_embedding(replace(embedded, embedding=more), tmp_path / "e.safetensors")
    with pytest.raises(EmbeddingMismatchError, match="damaged"):
        predictor.load_embedding(tmp_path / "e.safetensors")


def test_a_failed_save_leaves_the_old_file(predictor: Predictor, saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = saved.read_bytes()

    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        predictor.save_embedding(saved)
    assert saved.read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]

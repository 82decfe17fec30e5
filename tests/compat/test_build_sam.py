"""Models by their public names; checkpoints of the public package load as they are."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from anymask.compat import sam_model_registry
from anymask.compat.modeling import Sam
from anymask.errors import WeightsError
from anymask.model import sam as ours
from anymask.model.weights import save
from tests.compat.conftest import Pair
from tests.paired_models import enliven
from tests.public_sam import import_public_sam


def test_the_registry_has_the_public_names(pair: Pair) -> None:
    assert set(pair.public.sam_model_registry) <= set(sam_model_registry)
    assert sam_model_registry["default"] is pair.ours.build_sam is pair.ours.build_sam_vit_h


def test_a_model_without_a_checkpoint_is_random_and_of_the_public_form() -> None:
    model = sam_model_registry["vit_b"]()
    assert isinstance(model, Sam)
    assert not model.training
    assert model.image_encoder.img_size == 1024
    assert model.image_format == "RGB"
    with torch.device("meta"):
        public = import_public_sam().sam_model_registry["vit_b"]()
    theirs = {name: tensor.shape for name, tensor in public.state_dict().items()}
    assert {name: tensor.shape for name, tensor in model.state_dict().items()} == theirs


@pytest.mark.slow
def test_a_public_checkpoint_loads_and_gives_the_same_embedding(tmp_path: Path) -> None:
    public = import_public_sam().sam_model_registry["vit_b"]()
    enliven(public, seed=0)
    torch.save(public.state_dict(), tmp_path / "sam_vit_b.pth")
    model = sam_model_registry["vit_b"](checkpoint=str(tmp_path / "sam_vit_b.pth"))
    images = torch.randn(1, 3, 1024, 1024)
    with torch.no_grad():
        assert (model.image_encoder(images) - public.image_encoder(images)).abs().max() < 1e-4


def test_a_checkpoint_of_another_size_is_refused(pair: Pair, tmp_path: Path) -> None:
    save(pair.our_model, tmp_path / "small.safetensors")
    with pytest.raises(WeightsError, match="not a vit_b"):
        sam_model_registry["vit_b"](checkpoint=tmp_path / "small.safetensors")


def test_the_embedded_model_comes_with_its_weights() -> None:
    first, second = sam_model_registry["tiny"](), sam_model_registry["tiny"]()
    assert isinstance(first, ours.Sam)
    states = first.state_dict(), second.state_dict()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])

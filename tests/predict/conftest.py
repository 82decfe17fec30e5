"""Small models with random weights, so that these tests take seconds."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch

from anymask.model.image_encoder import VitConfig
from anymask.model.mask_decoder import MaskDecoderConfig
from anymask.model.prompt_encoder import PromptEncoderConfig
from anymask.model.sam import Sam, SamConfig, tiny_config
from anymask.predict import Predictor


def small_config(input_size: int = 128) -> SamConfig:
    """A ViT of two blocks and a decoder of 32 channels."""
    return SamConfig(
        image_encoder=VitConfig(
            dim=32, depth=2, heads=2, global_blocks=(1,), window=4, out_dim=32, native_size=input_size
        ),
        prompt_encoder=PromptEncoderConfig(dim=32),
        mask_decoder=MaskDecoderConfig(dim=32, heads=2, mlp_dim=64, iou_hidden=32),
        input_size=input_size,
    )


def random_model(config: SamConfig, seed: int = 0) -> Sam:
    """Random weights, the same for the same seed."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Sam(config).eval()


@pytest.fixture(scope="session")
def small_model() -> Sam:
    """A ViT Sam: input 128, low-res logits 32."""
    return random_model(small_config())


@pytest.fixture(scope="session")
def skip_model() -> Sam:
    """A Sam of the tiny architecture, whose embedding has finer maps: input 64, low-res logits 16."""
    return random_model(tiny_config(dim=32, input_size=64))


@pytest.fixture(params=["small_model", "skip_model"])
def model(request: pytest.FixtureRequest) -> Sam:
    """Each of the two in turn."""
    found: Sam = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def predictor(model: Sam) -> Predictor:
    """A predictor with nothing set."""
    return Predictor(model)


@pytest.fixture
def picture() -> npt.NDArray[np.uint8]:
    """(60, 90, 3) colourful noise, smooth enough to have shapes."""
    coarse = np.random.default_rng(5).integers(0, 256, (6, 9, 3), dtype=np.uint8)
    return coarse.repeat(10, axis=0).repeat(10, axis=1)

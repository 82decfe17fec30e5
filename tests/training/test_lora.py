"""Low-rank changes."""

import pytest
import torch

from anymask.errors import ConfigError
from anymask.model.sam import Sam
from anymask.training.learning import choose_learning
from anymask.training.lora import add_lora, merged
from tests.training.drawn import small_model


@pytest.fixture
def adapted() -> Sam:
    torch.manual_seed(0)
    model = Sam(small_model())
    choose_learning(model, "decoder")
    add_lora(model.image_encoder, 2)
    return model.eval()


def move(model: Sam) -> None:
    """Give every low-rank change a value."""
    for name, parameter in model.named_parameters():
        if name.endswith(".b"):
            torch.nn.init.normal_(parameter, std=0.1)


def test_a_model_with_changes_begins_as_it_was() -> None:
    torch.manual_seed(0)
    model = Sam(small_model()).eval()
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        before = model.embed(image).main
        choose_learning(model, "decoder")
        assert add_lora(model.image_encoder, 2) > 10
        assert torch.equal(model.embed(image).main, before)


def test_only_the_thin_matrices_of_the_encoder_learn(adapted: Sam) -> None:
    learning = [name for name, p in adapted.image_encoder.named_parameters() if p.requires_grad]
    assert learning
    assert all(name.endswith((".0.a", ".0.b")) for name in learning)
    whole = sum(p.numel() for p in adapted.image_encoder.parameters())
    assert sum(p.numel() for p in adapted.image_encoder.parameters() if p.requires_grad) < whole / 4


def test_merged_weights_answer_the_same_under_the_names_of_a_plain_model(adapted: Sam) -> None:
    move(adapted)
    image = torch.randn(1, 3, 64, 64)
    plain = Sam(adapted.config).eval()
    plain.load_state_dict(merged(adapted).state_dict())
    with torch.no_grad():
        assert torch.equal(plain.embed(image).main, adapted.embed(image).main)
    assert any("parametrizations" in name for name in adapted.state_dict())  # the model itself goes on learning


def test_a_model_without_changes_is_merged_to_itself() -> None:
    model = Sam(small_model())
    assert merged(model) is model


def test_an_encoder_that_learns_itself_is_refused() -> None:
    with pytest.raises(ConfigError, match="lora_rank"):
        add_lora(Sam(small_model()).image_encoder, 2)

"""Low-rank changes of an encoder's weights: few numbers learn, the weights themselves stay.

Source: Hu et al. 2021 (arXiv 2106.09685). The change of a matrix W is B A with A random and B zero at first, so that
training begins at the model as it was; there is no further scale, the learning rate is one.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from anymask.errors import ConfigError
from anymask.model.sam import Sam


class LowRank(nn.Module):
    """A matrix (or 1x1 kernel) plus the product of two thin ones that learn."""

    def __init__(self, weight: Tensor, rank: int) -> None:
        super().__init__()
        rows, columns = weight.shape[:2]
        self.a = nn.Parameter(torch.randn(rank, columns, dtype=weight.dtype, device=weight.device) / columns**0.5)
        self.b = nn.Parameter(torch.zeros(rows, rank, dtype=weight.dtype, device=weight.device))

    def forward(self, weight: Tensor) -> Tensor:
        return weight + (self.b @ self.a).view_as(weight)


def add_lora(encoder: nn.Module, rank: int) -> int:
    """Give every linear layer and 1x1 convolution of `encoder` whose weight does not learn a low-rank change that does.

    Returns how many got one. Raises: ConfigError when none could.
    """
    found = [
        module
        for module in encoder.modules()
        if isinstance(module, nn.Linear | nn.Conv2d)
        and not module.weight.requires_grad
        and (isinstance(module, nn.Linear) or (module.kernel_size == (1, 1) and module.groups == 1))
    ]
    if not found:
        raise ConfigError(
            "lora_rank changes weights that do not learn themselves; use it with learn='decoder' or 'neck'"
        )
    for module in found:
        parametrize.register_parametrization(module, "weight", LowRank(module.weight, rank))
    return len(found)


def merged(model: Sam) -> Sam:
    """`model` with its low-rank changes added to the weights they change; `model` itself when it has none."""
    if not any(parametrize.is_parametrized(module) for module in model.modules()):
        return model
    # Not a copy of `model` whose changes are removed: copies share the classes that PyTorch changes for that.
    state = {name: value for name, value in model.state_dict().items() if ".parametrizations." not in name}
    for name, module in model.named_modules():
        if parametrize.is_parametrized(module):
            state[f"{name}.weight"] = module.weight.detach()
    plain = Sam(model.config).to(model.device)
    plain.load_state_dict(state)
    return plain

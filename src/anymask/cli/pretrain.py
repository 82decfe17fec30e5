"""`anymask pretrain`: a recipe and pictures in, a run folder with an image encoder out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anymask.cli.options import DEVICE, JSON, expand_paths
from anymask.cli.running import begin_run, find_run, leader_first, move_to, run_loop, start_facts
from anymask.errors import ConfigError

if TYPE_CHECKING:
    from anymask.runs import RunFolder
    from anymask.training.mae import PretrainConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class PretrainOptions:
    """What was asked for; kept in the run folder, so that a run can go on without saying it again."""

    recipe: str
    """Name of the configuration."""
    data: tuple[Path, ...]
    """Tar shards and folders of sets."""


def pretrain(
    data: Annotated[
        list[str] | None,
        typer.Option(
            help="Tar shards or folders of sets: a path or a quoted pattern; may be repeated.", show_default=False
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The run's folder.", show_default=False)] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            help="The complete configuration: mae_small, mae_vit_b, mae_vit_l or mae_vit_h.", show_default="mae_small"
        ),
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Optimiser steps.", show_default="the recipe's", min=1)] = None,
    seed: Annotated[int | None, typer.Option(help="Of everything random.", show_default="the recipe's")] = None,
    exclude: Annotated[
        list[str] | None, typer.Option(metavar="SET", help="Leave out this set; may be repeated.", show_default=False)
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(help="Go on with this run, as it was begun.", show_default=False)
    ] = None,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Write TensorBoard files too.")] = False,
    device: DEVICE = "cpu",
    json: JSON = False,
) -> None:
    """Pre-train an image encoder on pictures alone, by hiding most of each and filling it in (MAE).

    Data are tar shards or folders of `SET/ID.webp` (or .jpg); label maps may be there and are not looked at. The run's
    folder gets metrics, sheets (as it is, as it was seen, filled in), checkpoints, and at the end `model.safetensors`:
    the encoder, for `anymask train --from`. Stopped (Ctrl-C, SIGTERM) or killed, the same command goes on, to the same
    bits on a CPU; so does `--resume`. Started by torchrun the processes share every step.

    **Examples**

    ```
    anymask pretrain --data 'train-*.tar' --out runs/mae
    anymask train --data 'train-*.tar' --recipe small_vit --from runs/mae/model.safetensors --out runs/vit
    anymask pretrain --resume runs/mae
    ```
    """
    import torch

    from anymask.dataset.index import RecordIndex
    from anymask.training.group import joined_group
    from anymask.training.mae import MaskedAutoencoder, PretrainConfig, Pretrainer

    changed = steps is not None or seed is not None or bool(exclude)
    if resume is not None and (any((data, out, recipe)) or changed):
        raise ConfigError("--resume goes on with a run as it was begun; leave out what was said then")
    with joined_group() as group:
        with leader_first(group):
            if resume is not None:
                run, config, options = find_run(resume, PretrainConfig, PretrainOptions, verb="pretrain")
            else:
                options = PretrainOptions(recipe=recipe or "mae_small", data=tuple(expand_paths(data or [])))
                run, config = _begin(options, out, steps=steps, seed=seed, exclude=tuple(exclude or ()))
        torch.manual_seed(config.seed)
        initial = move_to(MaskedAutoencoder(config.model), device)
        records = RecordIndex(options.data, config.exclude_sets)
        pretrainer = Pretrainer(config, records, run, initial, group)
        facts = start_facts(records, device, group)
        run_loop(pretrainer, facts, verb="pretrain", tensorboard=tensorboard, as_json=json)


def _begin(
    asked: PretrainOptions, out: Path | None, *, steps: int | None, seed: int | None, exclude: tuple[str, ...]
) -> tuple[RunFolder, PretrainConfig]:
    """A new run, or the one in the folder if it was begun in the same way, and its configuration."""
    from anymask.recipes import pretrain_recipe

    if not asked.data or out is None:
        raise ConfigError("pre-training needs --data PATH and --out RUN (or --resume RUN to go on with one)")
    config = pretrain_recipe(asked.recipe)
    config = replace(
        config,
        steps=steps or config.steps,
        seed=config.seed if seed is None else seed,
        exclude_sets=(*config.exclude_sets, *exclude),
    )
    return begin_run(out, config, asked, verb="pretrain"), config

"""`anymask pretrain`: a recipe and pictures in, a run folder with an image encoder out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from anymask.cli.options import DATA, DEVICE, EXCLUDE, JSON, OUT, RESUME, SEED, STEPS, TENSORBOARD, expand_paths
from anymask.cli.running import (
    begin_run,
    changed_recipe,
    find_run,
    leader_first,
    move_to,
    required,
    run_loop,
    start_facts,
)
from anymask.errors import ConfigError


@dataclass(frozen=True, kw_only=True, slots=True)
class PretrainOptions:
    """What was asked for; kept in the run folder, so that a run can go on without saying it again."""

    recipe: str
    """Name of the configuration."""
    data: tuple[Path, ...]
    """Tar shards and folders of sets."""


def pretrain(
    data: DATA = None,
    out: OUT = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            help="The complete configuration: mae_small, mae_vit_b, mae_vit_l or mae_vit_h.", show_default="mae_small"
        ),
    ] = None,
    steps: STEPS = None,
    seed: SEED = None,
    exclude: EXCLUDE = None,
    resume: RESUME = None,
    tensorboard: TENSORBOARD = False,
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
    from anymask.recipes import pretrain_recipe
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
                config = changed_recipe(pretrain_recipe(options.recipe), steps, seed, exclude)
                run = begin_run(required(out, options.data, "pre-training"), config, options, verb="pretrain")
        torch.manual_seed(config.seed)
        initial = move_to(MaskedAutoencoder(config.model), device)
        records = RecordIndex(options.data, config.exclude_sets)
        pretrainer = Pretrainer(config, records, run, initial, group)
        facts = start_facts(records, device, group)
        run_loop(pretrainer, facts, verb="pretrain", tensorboard=tensorboard, as_json=json)

"""`anymask distill`: a large model and pictures in, a run folder with a small encoder for its decoder out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from anymask.cli.options import (
    DATA,
    DEVICE,
    EXCLUDE,
    JSON,
    OUT,
    PICTURES,
    RESUME,
    SEED,
    STEPS,
    TENSORBOARD,
    VALIDATE,
    expand_paths,
    load_model,
)
from anymask.cli.running import (
    begin_run,
    changed_recipe,
    find_run,
    leader_first,
    move_to,
    quick_scores,
    required,
    run_loop,
    start_facts,
)
from anymask.errors import ConfigError


@dataclass(frozen=True, kw_only=True, slots=True)
class DistillOptions:
    """What was asked for; kept in the run folder, so that a run can go on without saying it again."""

    recipe: str
    """Name of the configuration."""
    teacher: str
    """The large model: a name or a file."""
    data: tuple[Path, ...]
    """Tar shards and folders."""
    validate: tuple[Path, ...] = ()
    """The same, labelled, for the score that decides which weights are best."""


def distill(
    pictures: PICTURES = None,
    data: DATA = None,
    out: OUT = None,
    teacher: Annotated[
        str | None, typer.Option(help="The large model: a name or a file.", show_default="vit_b")
    ] = None,
    recipe: Annotated[str | None, typer.Option(help="The complete configuration.", show_default="distill_tiny")] = None,
    steps: STEPS = None,
    seed: SEED = None,
    exclude: EXCLUDE = None,
    validate: VALIDATE = None,
    resume: RESUME = None,
    tensorboard: TENSORBOARD = False,
    device: DEVICE = "cpu",
    json: JSON = False,
) -> None:
    """Teach a small encoder what a large one sees, so that the large model's decoder understands it.

    The small encoder learns the large one's embedding of each picture (or the masks that come of it, as the recipe
    says); no labels are needed. At the end `model.safetensors` is a whole model with the small encoder and the large
    model's prompt encoder and decoder. Stopped (Ctrl-C, SIGTERM) or killed, the same command goes on, to the same bits
    on a CPU; so does `--resume`. Started by torchrun the processes share every step.

    **Examples**

    ```
    anymask distill my_pictures --teacher vit_b --out runs/small
    anymask distill --data 'sa_*.tar' --teacher sam_vit_h_4b8939.pth --out runs/small
    anymask segment photo.jpg --model runs/small/model.safetensors --point 300,150
    anymask distill --resume runs/small
    ```
    """
    from anymask.dataset.index import RecordIndex
    from anymask.recipes import distill_recipe
    from anymask.training.distill import DistillConfig, Distiller
    from anymask.training.group import joined_group

    data = [*(pictures or []), *(data or [])]
    changed = steps is not None or seed is not None or bool(exclude)
    if resume is not None and (any((data, out, recipe, teacher, validate)) or changed):
        raise ConfigError("--resume goes on with a run as it was begun; leave out what was said then")
    with joined_group() as group:
        with leader_first(group):
            if resume is not None:
                run, config, options = find_run(resume, DistillConfig, DistillOptions, verb="distill")
            else:
                options = DistillOptions(
                    recipe=recipe or "distill_tiny",
                    teacher=teacher or "vit_b",
                    data=tuple(expand_paths(data)),
                    validate=tuple(expand_paths(validate or [])),
                )
                config = changed_recipe(distill_recipe(options.recipe), steps, seed, exclude)
                run = begin_run(required(out, options.data, "distillation"), config, options, verb="distill")
        large = move_to(load_model(options.teacher, "cpu"), device)
        records = RecordIndex(options.data, config.exclude_sets)
        distiller = Distiller(config, large, records, run, group)
        scored = RecordIndex(options.validate) if options.validate else None
        run_loop(
            distiller,
            start_facts(records, device, group, scored),
            verb="distill",
            validate=None if scored is None else lambda model: quick_scores(model, scored),
            tensorboard=tensorboard,
            as_json=json,
        )

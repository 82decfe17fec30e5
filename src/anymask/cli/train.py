"""`anymask train`: a recipe and labelled pictures in, a run folder with weights out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

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
    Dtype,
    expand_paths,
    load_model,
)
from anymask.cli.running import (
    begin_run,
    find_run,
    leader_first,
    move_to,
    own_device,
    quick_scores,
    required,
    run_loop,
    start_facts,
)
from anymask.errors import ConfigError

if TYPE_CHECKING:
    from anymask.model.sam import Sam
    from anymask.runs import RunFolder
    from anymask.training.mixture import SetWeight
    from anymask.training.promptable import TrainConfig, Trainer


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainOptions:
    """What was asked for; kept in the run folder, so that a run can go on without saying it again."""

    recipe: str
    """Name of the configuration."""
    start: str
    """Where the weights start: "imagenet", "random", a model's name or file, or the file of a pre-trained encoder."""
    data: tuple[Path, ...]
    """Tar shards and folders of sets."""
    validate: tuple[Path, ...] = ()
    """The same, for the score that decides which weights are best."""


def train(
    pictures: PICTURES = None,
    data: DATA = None,
    out: OUT = None,
    recipe: Annotated[
        str | None, typer.Option(help="The complete configuration to train by.", show_default="tiny")
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="First weights: imagenet, random, a model's name or file, or a file of `anymask pretrain`.",
            show_default="the recipe's",
        ),
    ] = None,
    step: Annotated[
        int | None,
        typer.Option(
            help="Go on after this many steps from --from weights alone: a new optimiser, a new warm-up, then the "
            "recipe's data and learning rate from there.",
            show_default="0",
            min=1,
        ),
    ] = None,
    steps: STEPS = None,
    seed: SEED = None,
    exclude: EXCLUDE = None,
    weight: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SET=W",
            help="How often this set comes, relative to the others; sets without a weight have 1 together.",
            show_default=False,
        ),
    ] = None,
    lr: Annotated[
        float | None, typer.Option(help="Learning rate at its highest.", show_default="the recipe's", min=0.0)
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Threads that make samples.", show_default="the recipe's", min=1)
    ] = None,
    precision: Annotated[
        Dtype | None,
        typer.Option(
            help="Arithmetic of the forward pass, float32 or bfloat16 (for GPUs that have it).",
            show_default="the recipe's",
        ),
    ] = None,
    compiled: Annotated[
        bool, typer.Option("--compile", help="Compile the image encoder: a slow start, faster steps on a GPU.")
    ] = False,
    together: Annotated[
        bool,
        typer.Option(
            "--together",
            help="Prompt the masks of all pictures of a step together: what keeps a GPU busy, with its memory.",
        ),
    ] = False,
    validate: VALIDATE = None,
    resume: RESUME = None,
    tensorboard: TENSORBOARD = False,
    device: DEVICE = "cpu",
    json: JSON = False,
) -> None:
    """Train a model by simulated clicks and boxes on labelled pictures.

    Data are tar shards or folders of `SET/ID.webp` (or .jpg) with label maps `SET/ID.png`, 0 where nobody said
    anything; or of SA-1B's `sa_N.jpg` with `sa_N.json`, which are the set `sa1b`. The run's folder gets metrics,
    contact sheets to look at, checkpoints, and at the end `model.safetensors`: the weights with the best score when
    there was `--validate`, else the last ones, with `model_card.md`. Stopped (Ctrl-C, SIGTERM) or killed, the same
    command goes on, to the same bits on a CPU; so does `--resume`. On several cores or machines, start it with
    torchrun: the processes share every step, and any number of them can go on.

    **Examples**

    ```
    anymask train --data 'train-*.tar' --out runs/tiny
    anymask train my_folder --from tiny --recipe finetune_decoder --out runs/mine
    anymask train --data a.tar --data b.tar --validate val.tar --out runs/ab
    anymask train --data 'sa_*.tar' --data my_data --weight mine=0.25 --out runs/mixed
    anymask train --data 'train-*.tar' --recipe small_vit --from runs/mae/model.safetensors --out runs/vit
    anymask train --resume runs/tiny
    anymask train --data 'train-*.tar' --from rescued.safetensors --step 3000 --out runs/rest
    anymask train --data 'train-*.tar' --device cuda --precision bfloat16 --together --workers 8 --out runs/gpu
    torchrun --nproc-per-node 2 -m anymask train --data 'train-*.tar' --out runs/tiny
    ```
    """
    from anymask.dataset.index import RecordIndex
    from anymask.recipes import find_recipe
    from anymask.training.group import joined_group
    from anymask.training.promptable import TrainConfig, Trainer

    changes = _Changes(
        steps=steps,
        step=step,
        seed=seed,
        exclude=tuple(exclude or ()),
        weights=tuple(weight or ()),
        lr=lr,
        workers=workers,
        precision=precision,
        compiled=compiled,
        together=together,
    )
    data = [*(pictures or []), *(data or [])]
    if resume is not None and (any((data, out, recipe, start, validate)) or changes != _Changes()):
        raise ConfigError("--resume goes on with a run as it was begun; leave out what was said then")
    with joined_group() as group:
        with leader_first(group):
            if resume is not None:
                run, config, options = find_run(resume, TrainConfig, TrainOptions, verb="train")
                initial = _initial(options.start, config)
            else:
                options = TrainOptions(
                    recipe=recipe or "tiny",
                    start=start or find_recipe(recipe or "tiny").start,
                    data=tuple(expand_paths(data)),
                    validate=tuple(expand_paths(validate or [])),
                )
                run, config, initial = _begin(options, changes, out)
        records = RecordIndex(options.data, config.exclude_sets)
        trainer = Trainer(config, records, run, move_to(initial, own_device(device)), group)
        scored = RecordIndex(options.validate) if options.validate else None
        run_loop(
            trainer,
            start_facts(records, device, group, scored),
            verb="train",
            validate=None if scored is None else lambda model: quick_scores(model, scored),
            finish=lambda: _keep_card(trainer),
            tensorboard=tensorboard,
            as_json=json,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Changes:
    """Fields of the recipe that the command line changes."""

    steps: int | None = None
    step: int | None = None
    seed: int | None = None
    exclude: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()
    """As given: SET=W."""
    lr: float | None = None
    workers: int | None = None
    precision: Dtype | None = None
    compiled: bool = False
    together: bool = False

    def apply(self, config: TrainConfig) -> TrainConfig:
        weights = tuple(map(_set_weight, self.weights))
        if self.precision is Dtype.FLOAT16:
            raise ConfigError("--precision float16 is for inference; train in float32 or bfloat16")
        precision: Literal["float32", "bfloat16"] = "bfloat16" if self.precision is Dtype.BFLOAT16 else "float32"
        return replace(
            config,
            steps=self.steps or config.steps,
            first_step=self.step or config.first_step,
            seed=config.seed if self.seed is None else self.seed,
            exclude_sets=(*config.exclude_sets, *self.exclude),
            precision=config.precision if self.precision is None else precision,
            compile=self.compiled or config.compile,
            together=self.together or config.together,
            optimizer=config.optimizer if self.lr is None else replace(config.optimizer, lr=self.lr),
            data=replace(
                config.data,
                weights=weights or config.data.weights,
                workers=self.workers or config.data.workers,
            ),
        )


def _set_weight(text: str) -> SetWeight:
    from anymask.training.mixture import SetWeight

    name, _, weight = text.rpartition("=")
    try:
        value = float(weight)
    except ValueError:
        name, value = "", 0.0
    if not name:
        raise ConfigError(f"--weight is {text!r}, expected a set and a number, such as --weight mine=0.5")
    return SetWeight(set_name=name, weight=value)


def _begin(asked: TrainOptions, changes: _Changes, out: Path | None) -> tuple[RunFolder, TrainConfig, Sam]:
    """A new run, or the one in the folder if it was begun in the same way; its configuration and first weights."""
    from anymask.recipes import recipe

    folder = required(out, asked.data, "training")
    config = changes.apply(recipe(asked.recipe))
    initial = _initial(asked.start, config)
    config = replace(config, model=initial.config)
    return begin_run(folder, config, asked, verb="train"), config, initial


def _initial(start: str, config: TrainConfig) -> Sam:
    import torch

    from anymask.model.encoder_weights import holds_encoder
    from anymask.model.sam import Sam
    from anymask.training.initial import (
        imagenet_tiny,
        sam_from_mae,
        with_encoder_depth,
        with_mask_quality,
        with_single_output,
        with_training_options,
    )

    torch.manual_seed(config.seed)
    if start == "imagenet":
        return imagenet_tiny(config.model, config.seed)
    if start == "random":
        return Sam(config.model)
    if holds_encoder(start):
        return sam_from_mae(start, config.model, config.seed)
    model = with_encoder_depth(with_training_options(load_model(start, "cpu"), config.model), config.model)
    if config.model.mask_decoder.multimask_outputs == 0:
        model = with_single_output(model)
    return with_mask_quality(model) if config.learn == "iou" else model


def _keep_card(trainer: Trainer) -> None:
    """The model card, unless there is one: `anymask runs card` may have written more into it since."""
    from anymask.dataset.licences import KNOWN_LICENCES
    from anymask.evaluation.progress.card import CARD, write_card

    if not (trainer.run.path / CARD).exists():
        write_card(trainer.run, KNOWN_LICENCES, trainer.skipped)

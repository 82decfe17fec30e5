"""`anymask train`: a recipe and labelled pictures in, a run folder with weights out."""

from __future__ import annotations

import json as json_format
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anymask.cli import console
from anymask.cli.options import DEVICE, JSON, expand_paths, load_model
from anymask.cli.tensorboard import TensorBoardLog, opened_log
from anymask.errors import ConfigError, RunError

if TYPE_CHECKING:
    from anymask.dataset.index import RecordIndex
    from anymask.model.sam import Sam
    from anymask.runs import RunFolder
    from anymask.training.group import Group
    from anymask.training.loop import Hooks
    from anymask.training.mixture import SetWeight
    from anymask.training.promptable import TrainConfig, Trainer

_ARGUMENTS = "command.json"
_WEIGHTS = "model.safetensors"
_SAY_EVERY = 50
"""Steps between lines on standard error when nobody sees a bar."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainOptions:
    """What was asked for; kept in the run folder, so that a run can go on without saying it again."""

    recipe: str
    """Name of the configuration."""
    start: str
    """Where the weights start: "imagenet", "random", or a model's name or file."""
    data: tuple[Path, ...]
    """Tar shards and folders of sets."""
    validate: tuple[Path, ...] = ()
    """The same, for the score that decides which weights are best."""


def train(
    pictures: Annotated[
        list[str] | None,
        typer.Argument(metavar="[DATA]...", help="The same as --data, for one's own folder.", show_default=False),
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option(
            help="Tar shards or folders of sets: a path or a quoted pattern; may be repeated.", show_default=False
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The run's folder.", show_default=False)] = None,
    recipe: Annotated[
        str | None, typer.Option(help="The complete configuration to train by.", show_default="tiny")
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--from", help="First weights: imagenet, random, or a model's name or file.", show_default="the recipe's"
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
    steps: Annotated[int | None, typer.Option(help="Optimiser steps.", show_default="the recipe's", min=1)] = None,
    seed: Annotated[int | None, typer.Option(help="Of everything random.", show_default="the recipe's")] = None,
    exclude: Annotated[
        list[str] | None, typer.Option(metavar="SET", help="Leave out this set; may be repeated.", show_default=False)
    ] = None,
    weight: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SET=W",
            help="How often this set comes, relative to the others; sets without a weight have 1 together.",
            show_default=False,
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Threads that make samples.", show_default="the recipe's", min=1)
    ] = None,
    validate: Annotated[
        list[str] | None,
        typer.Option(help="Data to score the weights on as they come; may be repeated.", show_default=False),
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(help="Go on with this run, as it was begun.", show_default=False)
    ] = None,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Write TensorBoard files too.")] = False,
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
    anymask train --resume runs/tiny
    anymask train --data 'train-*.tar' --from rescued.safetensors --step 3000 --out runs/rest
    torchrun --nproc-per-node 2 -m anymask train --data 'train-*.tar' --out runs/tiny
    ```
    """
    import torch

    from anymask.recipes import find_recipe
    from anymask.training.group import joined_group

    changes = _Changes(
        steps=steps, step=step, seed=seed, exclude=tuple(exclude or ()), weights=tuple(weight or ()), workers=workers
    )
    data = [*(pictures or []), *(data or [])]
    if resume is not None and (any((data, out, recipe, start, validate)) or changes != _Changes()):
        raise ConfigError("--resume goes on with a run as it was begun; leave out what was said then")
    with joined_group() as group:
        if not group.leads:
            group.wait()  # until the first process has made the folder
        if resume is not None:
            run, config, options = _find_run(resume)
            initial = _initial(options.start, config)
        else:
            options = TrainOptions(
                recipe=recipe or "tiny",
                start=start or find_recipe(recipe or "tiny").start,
                data=tuple(expand_paths(data)),
                validate=tuple(expand_paths(validate or [])),
            )
            run, config, initial = _begin_run(options, changes, out)
        if group.leads:
            group.wait()
        records = _index(options.data, config.exclude_sets)
        scored = _index(options.validate) if options.validate else None
        trainer = _make_trainer(config, records, run, initial, device, group)
        wanted = tensorboard and group.leads and trainer.step < config.steps
        with (
            _stop_signals() as stop,
            console.progress_bar("train", unit="steps") as update,
            opened_log(run, trainer.step, wanted=wanted) as log,
        ):
            hooks = _make_hooks(scored, stop, update, log)
            torch.set_flush_denormal(True)  # denormal gradients slow a CPU down and change nothing
            try:
                _train(trainer, hooks, _start_facts(records, scored, device, group))
            finally:
                torch.set_flush_denormal(False)
    finished = trainer.step == config.steps
    if group.leads:
        if finished:
            _keep_final_weights(run)
            _keep_card(run, trainer)
        _report(trainer, run, finished=finished, as_json=json)
    if not finished:
        raise typer.Exit(128 + (stop.signal or signal.SIGTERM))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Changes:
    """Fields of the recipe that the command line changes."""

    steps: int | None = None
    step: int | None = None
    seed: int | None = None
    exclude: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()
    """As given: SET=W."""
    workers: int | None = None

    def apply(self, config: TrainConfig) -> TrainConfig:
        weights = tuple(map(_set_weight, self.weights))
        return replace(
            config,
            steps=self.steps or config.steps,
            first_step=self.step or config.first_step,
            seed=config.seed if self.seed is None else self.seed,
            exclude_sets=(*config.exclude_sets, *self.exclude),
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


def _find_run(folder: Path) -> tuple[RunFolder, TrainConfig, TrainOptions]:
    """A run that was begun before, with its configuration and what was asked for then."""
    from anymask.runs import RunFolder, from_plain
    from anymask.training.promptable import TrainConfig

    run = RunFolder(folder)
    return run, from_plain(TrainConfig, run.config()), _read_options(run)


def _begin_run(asked: TrainOptions, changes: _Changes, out: Path | None) -> tuple[RunFolder, TrainConfig, Sam]:
    """A new run, or the one in the folder if it was begun in the same way; its configuration and first weights."""
    from anymask.recipes import recipe
    from anymask.runs import RunFolder

    if not asked.data or out is None:
        raise ConfigError("training needs --data PATH and --out RUN (or --resume RUN to go on with one)")
    config = changes.apply(recipe(asked.recipe))
    initial = _initial(asked.start, config)
    config = replace(config, model=initial.config)
    try:
        run = RunFolder.create(out, config)
    except OSError as error:
        raise RunError(f"the run folder {out} cannot be made ({error.strerror}); name another with --out") from error
    _keep_options(run, asked)
    return run, config, initial


def _keep_options(run: RunFolder, asked: TrainOptions) -> None:
    """Write down what was asked for, or check that a run that goes on is asked for the same."""
    from anymask.runs import to_plain, write_atomically

    path = run.path / _ARGUMENTS
    if not path.exists():
        write_atomically(path, json_format.dumps(to_plain(asked), indent=1).encode())
        return
    before = _read_options(run)
    differing = [field.name for field in fields(asked) if getattr(before, field.name) != getattr(asked, field.name)]
    if differing:
        raise RunError(
            f"{run.path} holds a run that was begun with another {' and '.join(differing)}; go on with "
            f"`anymask train --resume {run.path}`, or name a new folder with --out"
        )


def _read_options(run: RunFolder) -> TrainOptions:
    from anymask.runs import from_plain

    try:
        plain = json_format.loads((run.path / _ARGUMENTS).read_bytes())
    except (OSError, ValueError) as error:
        raise RunError(f"{run.path} does not say what it was begun with ({error}); begin a new run") from error
    return from_plain(TrainOptions, plain)


def _initial(start: str, config: TrainConfig) -> Sam:
    import torch

    from anymask.model.sam import Sam
    from anymask.training.initial import imagenet_tiny, with_mask_quality, with_training_options

    torch.manual_seed(config.seed)
    if start == "imagenet":
        return imagenet_tiny(config.model, config.seed)
    if start == "random":
        return Sam(config.model)
    model = with_training_options(load_model(start, "cpu"), config.model)
    return with_mask_quality(model) if config.learn == "iou" else model


def _index(data: Sequence[Path], exclude_sets: Sequence[str] = ()) -> RecordIndex:
    from anymask.dataset.index import RecordIndex

    return RecordIndex(data, exclude_sets)


def _make_trainer(
    config: TrainConfig, records: RecordIndex, run: RunFolder, initial: Sam, device: str, group: Group
) -> Trainer:
    from anymask.training.promptable import Trainer

    try:
        initial = initial.to(device)
    except (RuntimeError, AssertionError) as error:  # torch asserts that it was built with CUDA
        raise ConfigError(f"device {device!r} cannot be used here: {str(error).splitlines()[0]}") from error
    return Trainer(config, records, run, initial, group)


@dataclass(slots=True)
class _Stop:
    """Which signal asked the run to end, 0 for none."""

    signal: int = 0


@contextmanager
def _stop_signals() -> Iterator[_Stop]:
    """While the block runs, Ctrl-C and SIGTERM ask for an end after the step; a second Ctrl-C interrupts at once."""
    stop = _Stop()

    def ask(number: int, _frame: FrameType | None) -> None:
        if stop.signal:
            raise KeyboardInterrupt
        stop.signal = number
        console.warn("stopping after this step")

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _start_facts(records: RecordIndex, scored: RecordIndex | None, device: str, group: Group) -> dict[str, Any]:
    """What starts.jsonl says of this start beside the machine: how many processes, their device, and the data."""
    import torch

    facts: dict[str, Any] = {"processes": group.size, "threads": torch.get_num_threads(), "device": device}
    if torch.device(device).type == "cuda":
        facts["gpu"] = torch.cuda.get_device_name(device)
    facts["sets"] = records.pictures_of_sets()
    if scored is not None:
        facts["validation_sets"] = scored.pictures_of_sets()
    return facts


def _make_hooks(
    scored: RecordIndex | None, stop: _Stop, update: console.Update, log: TensorBoardLog | None
) -> Hooks[Sam]:
    from anymask.training.loop import Hooks, Progress

    def progress(done: Progress) -> None:
        update(done.step, done.steps)
        if not console.is_terminal() and done.step % _SAY_EVERY == 0:
            console.warn(f"step {done.step} of {done.steps}: {_say_values(done.values)}, {done.seconds:.1f} s")

    return Hooks(
        progress=progress,
        should_stop=lambda: bool(stop.signal),
        validate=None if scored is None else lambda model: _score(model, scored),
        log=None if log is None else log.log,
    )


def _say_values(values: Mapping[str, float]) -> str:
    names = {"loss": "loss", "point_iou": "click IoU", "box_iou": "box IoU", "last_iou": "last IoU"}
    return ", ".join(f"{shown} {values[name]:.3f}" for name, shown in names.items() if name in values)


def _score(model: Sam, records: RecordIndex) -> dict[str, float]:
    """The quick score; "score" is the mean of click and box."""
    from anymask.errors import DatasetError
    from anymask.evaluation.quick import quick_score

    scores = quick_score(model, records)
    if "click" not in scores:
        raise DatasetError("no picture of --validate has a region to ask for; give other data")
    return scores | {"score": (scores["click"] + scores["box"]) / 2}


def _train(trainer: Trainer, hooks: Hooks[Sam], facts: dict[str, Any]) -> None:
    try:
        if trainer.group.leads and trainer.step < trainer.config.steps:
            trainer.run.log_start(trainer.step, facts)
        trainer.train(hooks)
    except OSError as error:
        raise RunError(
            f"{trainer.run.path} cannot be written ({error.strerror or error}); the last checkpoint is whole: "
            "mend it and give the same command to go on"
        ) from error


def _keep_final_weights(run: RunFolder) -> None:
    from anymask.runs import write_atomically

    best = run.path / "best.safetensors"
    chosen = best if best.is_file() else run.path / "last.safetensors"
    write_atomically(run.path / _WEIGHTS, chosen.read_bytes())


def _keep_card(run: RunFolder, trainer: Trainer) -> None:
    """The model card, unless there is one: `anymask runs card` may have written more into it since."""
    from anymask.dataset.licences import KNOWN_LICENCES
    from anymask.evaluation.progress.card import CARD, write_card

    if not (run.path / CARD).exists():
        write_card(run, KNOWN_LICENCES, trainer.skipped)


def _report(trainer: Trainer, run: RunFolder, *, finished: bool, as_json: bool) -> None:
    weights = str(run.path / _WEIGHTS) if finished else None
    if as_json:
        console.say_json(
            {
                "run": str(run.path),
                "step": trainer.step,
                "steps": trainer.config.steps,
                "finished": finished,
                "weights": weights,
                "best_score": trainer.best if trainer.best >= 0 else None,
                "skipped": trainer.skipped,
            }
        )
        return
    skipped = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in trainer.skipped.items() if count)
    left_out = f" (left out: {skipped})" if skipped else ""
    if finished:
        console.say(f"{run.path}: {trainer.step} steps{left_out} -> {weights}")
    else:
        console.say(f"{run.path}: stopped after step {trainer.step} of {trainer.config.steps}{left_out}")
        console.say(f"go on with: anymask train --resume {run.path}")

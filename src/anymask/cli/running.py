"""What the verbs that run for hours share: begin or go on, stop when asked, show progress, keep the final weights."""

from __future__ import annotations

import json as json_format
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from anymask.cli import console
from anymask.cli.tensorboard import TensorBoardLog, opened_log
from anymask.errors import ConfigError, RunError

if TYPE_CHECKING:
    from torch import nn

    from anymask.dataset.index import RecordIndex
    from anymask.model.sam import Sam
    from anymask.runs import RunFolder
    from anymask.training.distill import DistillConfig
    from anymask.training.group import Group
    from anymask.training.loop import Hooks, Loop
    from anymask.training.mae import PretrainConfig

ConfigT = TypeVar("ConfigT")
UnlabelledT = TypeVar("UnlabelledT", "PretrainConfig", "DistillConfig")
OptionsT = TypeVar("OptionsT")
ModelT = TypeVar("ModelT", bound="nn.Module")

_ARGUMENTS = "command.json"
_WEIGHTS = "model.safetensors"
_SAY_EVERY = 50
"""Steps between lines on standard error when nobody sees a bar."""


def find_run(
    folder: Path, config: type[ConfigT], options: type[OptionsT], *, verb: str
) -> tuple[RunFolder, ConfigT, OptionsT]:
    """A run that `verb` began before, with its configuration and what was asked for then.

    Raises: RunError for a folder that is no run, or one of another verb.
    """
    from anymask.runs import RunFolder, from_plain

    run = RunFolder(folder)
    plain = run.config()
    try:
        return run, from_plain(config, plain), _read_options(run, options)
    except ConfigError as error:
        raise RunError(
            f"{folder} holds a run that this version's `anymask {verb}` did not begin ({error}); go on with the verb "
            "and version that did, or begin a new run"
        ) from error


def required(out: Path | None, data: Sequence[Path], work: str) -> Path:
    """`out`, when both it and data were given.

    Raises: ConfigError when one was not.
    """
    if not data or out is None:
        raise ConfigError(f"{work} needs --data PATH and --out RUN (or --resume RUN to go on with one)")
    return out


def changed_recipe(
    config: UnlabelledT, steps: int | None, seed: int | None, exclude: Sequence[str] | None
) -> UnlabelledT:
    """A recipe with what the command line says otherwise."""
    return replace(
        config,
        steps=steps or config.steps,
        seed=config.seed if seed is None else seed,
        exclude_sets=(*config.exclude_sets, *(exclude or ())),
    )


def begin_run(out: Path, config: Any, asked: Any, *, verb: str) -> RunFolder:
    """A new run of `config`, or the one in the folder if it was begun in the same way.

    Raises: RunError when the folder cannot be made, or holds a run that was begun in another way.
    """
    from anymask.runs import RunFolder

    try:
        run = RunFolder.create(out, config)
    except OSError as error:
        raise RunError(f"the run folder {out} cannot be made ({error.strerror}); name another with --out") from error
    _keep_options(run, asked, verb)
    return run


def _keep_options(run: RunFolder, asked: Any, verb: str) -> None:
    """Write down what was asked for, or check that a run that goes on is asked for the same."""
    from anymask.runs import to_plain, write_atomically

    path = run.path / _ARGUMENTS
    if not path.exists():
        write_atomically(path, json_format.dumps(to_plain(asked), indent=1).encode())
        return
    before = _read_options(run, type(asked))
    differing = [field.name for field in fields(asked) if getattr(before, field.name) != getattr(asked, field.name)]
    if differing:
        raise RunError(
            f"{run.path} holds a run that was begun with another {' and '.join(differing)}; go on with "
            f"`anymask {verb} --resume {run.path}`, or name a new folder with --out"
        )


def _read_options(run: RunFolder, options: type[OptionsT]) -> OptionsT:
    from anymask.runs import from_plain

    try:
        plain = json_format.loads((run.path / _ARGUMENTS).read_bytes())
    except (OSError, ValueError) as error:
        raise RunError(f"{run.path} does not say what it was begun with ({error}); begin a new run") from error
    return from_plain(options, plain)


@contextmanager
def leader_first(group: Group) -> Iterator[None]:
    """The block in the first process of the group, then in the others: it makes the folder that they find."""
    if not group.leads:
        group.wait()
    yield
    if group.leads:
        group.wait()


def own_device(device: str) -> str:
    """The device of this process: "cuda" is spread over the machine's GPUs by torchrun's local rank."""
    from anymask.model.devices import device_of

    return device_of(device, int(os.environ.get("LOCAL_RANK", "0")))


def move_to(model: ModelT, device: str) -> ModelT:
    """The model on that device.

    Raises: ConfigError when it cannot be used here.
    """
    try:
        return model.to(device)
    except (RuntimeError, AssertionError) as error:  # torch asserts that it was built with CUDA
        raise ConfigError(f"device {device!r} cannot be used here: {str(error).splitlines()[0]}") from error


@dataclass(slots=True)
class Stop:
    """Which signal asked the run to end, 0 for none."""

    signal: int = 0


@contextmanager
def stop_signals(words: str = "stopping after this step") -> Iterator[Stop]:
    """While the block runs, Ctrl-C and SIGTERM ask for an end, and `words` say so; a second one interrupts at once."""
    stop = Stop()

    def ask(number: int, _frame: FrameType | None) -> None:
        if stop.signal:
            raise KeyboardInterrupt
        stop.signal = number
        console.warn(words)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def start_facts(records: RecordIndex, device: str, group: Group, scored: RecordIndex | None = None) -> dict[str, Any]:
    """What starts.jsonl says of this start beside the machine: how many processes, their device, and the data."""
    import torch

    facts: dict[str, Any] = {"processes": group.size, "threads": torch.get_num_threads(), "device": device}
    if torch.device(device).type == "cuda":
        facts["gpu"] = torch.cuda.get_device_name(device)
    facts["sets"] = records.pictures_of_sets()
    if scored is not None:
        facts["validation_sets"] = scored.pictures_of_sets()
    return facts


def quick_scores(model: Sam, records: RecordIndex) -> dict[str, float]:
    """The quick score; "score" is the mean of click and box."""
    from anymask.errors import DatasetError
    from anymask.evaluation.quick import quick_score

    scores = quick_score(model, records)
    if "click" not in scores:
        raise DatasetError("no picture of --validate has a region to ask for; give other data")
    return scores | {"score": (scores["click"] + scores["box"]) / 2}


def run_loop(
    loop: Loop[ModelT],
    facts: dict[str, Any],
    *,
    verb: str,
    validate: Callable[[ModelT], dict[str, float]] | None = None,
    finish: Callable[[], None] = lambda: None,
    tensorboard: bool,
    as_json: bool,
) -> None:
    """Train to the end or to a signal with a bar (or lines) of progress; keep the final weights and say how it went.

    `facts` are written beside the machine as what is known of this start; `finish` is called when all steps are taken.

    Raises: RunError when the run's folder cannot be written; typer.Exit when it was told to stop.
    """
    import torch

    begins = loop.group.leads and not loop.is_done
    with (
        stop_signals() as stop,
        console.progress_bar(verb, unit="steps") as update,
        opened_log(loop.run, loop.step, wanted=tensorboard and begins) as log,
    ):
        hooks = _make_hooks(stop, update, validate, log)
        torch.set_flush_denormal(True)  # denormal gradients slow a CPU down and change nothing
        try:
            if begins:
                loop.run.log_start(loop.step, facts)
            loop.train(hooks)
        except OSError as error:
            raise RunError(
                f"{loop.run.path} cannot be written ({error.strerror or error}); the last checkpoint is whole: "
                "mend it and give the same command to go on"
            ) from error
        finally:
            torch.set_flush_denormal(False)
    if loop.group.leads:
        if loop.is_done:
            _keep_final_weights(loop.run)
            finish()
        _report(loop, verb, as_json=as_json)
    if not loop.is_done:
        raise typer.Exit(128 + (stop.signal or signal.SIGTERM))


def _make_hooks(
    stop: Stop,
    update: console.Update,
    validate: Callable[[ModelT], dict[str, float]] | None,
    log: TensorBoardLog | None,
) -> Hooks[ModelT]:
    from anymask.training.loop import Hooks, Progress

    parent = os.getppid()
    under_torchrun = "TORCHELASTIC_RUN_ID" in os.environ

    def should_stop() -> bool:
        # torchrun killed outright leaves its processes behind; whoever goes on with the run must not meet them in it.
        return bool(stop.signal) or (under_torchrun and os.getppid() != parent)

    def progress(done: Progress) -> None:
        update(done.step, done.steps)
        if not console.is_terminal() and done.step % _SAY_EVERY == 0:
            console.warn(f"step {done.step} of {done.steps}: {_say_values(done.values)}, {done.seconds:.1f} s")

    return Hooks(
        progress=progress,
        should_stop=should_stop,
        validate=validate,
        log=None if log is None else log.log,
    )


def _say_values(values: Mapping[str, float]) -> str:
    names = {"loss": "loss", "point_iou": "click IoU", "box_iou": "box IoU", "last_iou": "last IoU"}
    return ", ".join(f"{shown} {values[name]:.3f}" for name, shown in names.items() if name in values)


def _keep_final_weights(run: RunFolder) -> None:
    from anymask.runs import write_atomically

    best = run.path / "best.safetensors"
    chosen = best if best.is_file() else run.path / "last.safetensors"
    write_atomically(run.path / _WEIGHTS, chosen.read_bytes())


def _report(loop: Loop[ModelT], verb: str, *, as_json: bool) -> None:
    run, finished = loop.run, loop.is_done
    weights = str(run.path / _WEIGHTS) if finished else None
    if as_json:
        console.say_json(
            {
                "run": str(run.path),
                "step": loop.step,
                "steps": loop.steps,
                "finished": finished,
                "weights": weights,
                "best_score": loop.best if loop.best >= 0 else None,
                "skipped": loop.skipped,
            }
        )
        return
    skipped = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in loop.skipped.items() if count)
    left_out = f" (left out: {skipped})" if skipped else ""
    if finished:
        console.say(f"{run.path}: {loop.step} steps{left_out} -> {weights}")
    else:
        console.say(f"{run.path}: stopped after step {loop.step} of {loop.steps}{left_out}")
        console.say(f"go on with: anymask {verb} --resume {run.path}")

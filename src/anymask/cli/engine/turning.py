"""`anymask engine turn` and `run`: one turn now, or one after the other as masks come."""

from __future__ import annotations

import json as json_format
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anymask.cli import console
from anymask.cli.engine.opening import FOLDER, opened
from anymask.cli.engine.telling import Teller
from anymask.cli.options import JSON, expand_paths
from anymask.cli.running import Stop, stop_signals
from anymask.errors import ConfigError

if TYPE_CHECKING:
    from anymask.cli.engine.simulation import Simulation
    from anymask.data_engine.loop import Engine, TurnReport

_STOPPED = 128
_LOOK_S = 5.0
"""How often `run` looks whether there are masks enough."""


def turn(
    folder: FOLDER,
    abandon: Annotated[
        bool, typer.Option("--abandon", help="First set aside the turn that was begun and not ended.")
    ] = False,
    json: JSON = False,
) -> None:
    """Take one turn: what people accepted becomes a dataset version, the model is retrained and, if better, published.

    The steps: choose masks, freeze them (split by picture, with a content hash), in the last stage generate more,
    retrain from the current model, score both models on held-out pictures, decide, publish, order the queue. A server
    that runs takes the new model without a restart. Stopped (Ctrl-C, SIGTERM) or killed, **the same command goes on**
    and ends as if nothing had happened. Two turns at once are refused. A turn that fails leaves the model as it is.

    `ENGINE/turns/0001` and so on hold each step's result, the dataset, the training run and `model_card.md`.

    **Examples**

    ```
    anymask engine turn engine
    anymask engine turn engine --json
    anymask engine turn engine --abandon
    ```
    """
    from anymask.data_engine.loop import take_turn
    from anymask.runs import to_plain

    with opened(folder) as engine, stop_signals("stopping; the same command goes on") as stop, Teller() as teller:
        if abandon:
            with engine.turns.locked():
                aside = engine.turns.set_aside()
            console.warn("no turn was begun" if aside is None else f"set aside: {aside}")
        report = take_turn(engine, teller.hooks(stop))
    if report is None:
        raise typer.Exit(_STOPPED + stop.signal)
    if json:
        console.say_json(to_plain(report))
    else:
        say_turn(report)


def run(
    folder: FOLDER,
    turns: Annotated[
        int | None, typer.Option(help="End when so many turns are done in all.", show_default="go on for ever", min=1)
    ] = None,
    simulate: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH",
            help="Label maps of the project's pictures: simulated people annotate, on a server that runs meanwhile; "
            "may be repeated.",
            show_default=False,
        ),
    ] = None,
    annotators: Annotated[int, typer.Option(help="Simulated people at once.", min=1)] = 2,
    pictures: Annotated[int, typer.Option(help="Pictures that they do for each turn.", min=1)] = 100,
    habits: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="JSON with how they work: times, slips.", show_default=False),
    ] = None,
) -> None:
    """Turn again and again: whenever so many new masks were accepted as the stage asks for.

    In the last stage the turns follow each other without waiting. With `--simulate` nobody is needed: the server runs
    for as long as this command, simulated people sign in and do the next pictures over HTTP, then the turn is taken.
    Stopped or killed, the same command goes on.

    **Examples**

    ```
    anymask engine run engine
    anymask engine run engine --turns 3 --simulate pool/train.tar --pictures 80
    ```
    """
    from anymask.data_engine.loop import take_turn

    asked = [str(path) for path in expand_paths(simulate or [])]
    with ExitStack() as stack:
        engine = stack.enter_context(opened(folder))
        stop = stack.enter_context(stop_signals("stopping; the same command goes on"))
        teller = stack.enter_context(Teller())
        people = _simulation(asked, annotators, pictures, habits)
        if people is not None:
            stack.enter_context(people.begun(engine))
        while turns is None or len(engine.turns.finished()) < turns:
            if engine.turns.unfinished() is None:
                _wait_for_masks(engine, people, teller, stop)
            report = None if stop.signal else take_turn(engine, teller.hooks(stop))
            if report is None:
                raise typer.Exit(_STOPPED + stop.signal)
            say_turn(report)


def say_turn(report: TurnReport) -> None:
    """A turn in a few lines."""
    version = report.version
    learned = f"{version.masks['train']} masks on {version.pictures['train']} pictures"
    if report.generated is not None:
        learned += f", {report.generated.masks} masks made alone on {report.generated.pictures}"
    console.say(f"turn {report.number} ({report.stage}): learned from {learned}")
    console.say(f"  {report.decision.reason}")
    if report.next_stage != report.stage:
        console.say(f"  next stage: {report.next_stage}")


def _simulation(truth: list[str], annotators: int, pictures: int, habits: Path | None) -> Simulation | None:
    if not truth:
        return None
    from anymask.cli.engine.simulation import Simulation
    from anymask.data_engine.annotator_habits import HabitsConfig
    from anymask.data_engine.simulated_team import SimulationConfig
    from anymask.runs import from_plain

    try:
        plain = {} if habits is None else json_format.loads(habits.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(f"{habits} cannot be read as JSON ({error}); give an object of fields") from error
    config = SimulationConfig(
        truth=tuple(truth), annotators=annotators, pictures=pictures, habits=from_plain(HabitsConfig, plain)
    )
    return Simulation(config)


def _wait_for_masks(engine: Engine, people: Simulation | None, teller: Teller, stop: Stop) -> None:
    """Until the stage has the masks that it asks for, made by people or by the simulated ones."""
    from anymask.data_engine.loop import new_masks
    from anymask.data_engine.turns.config import AUTOMATIC
    from anymask.data_engine.turns.stages import stage_of

    stage = engine.database.read(lambda session: stage_of(session, engine.project_id))
    if stage == AUTOMATIC:
        return
    if people is not None:
        people.work(engine, teller, stop)
        return
    wanted = engine.config.stage(stage).new_masks
    teller.begins(f"wait for {wanted} new masks ({stage.replace('_', ' ')})")
    while not stop.signal and (found := new_masks(engine)) < wanted:
        teller.progress(found, wanted)
        time.sleep(_LOOK_S)

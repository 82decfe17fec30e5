"""`anymask generate`: pictures in, a dataset of all their masks out."""

from __future__ import annotations

import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anymask.cli import console
from anymask.cli.options import DEVICE, DTYPE, JSON, MODEL, Dtype, load_model
from anymask.cli.running import stop_signals
from anymask.cli.segment import Preset

if TYPE_CHECKING:
    from anymask.data_engine.automatic import GenerateReport

_SOME_FAILED = 1
_SAY_EVERY_S = 30.0


class Engine(StrEnum):
    """Who does the work."""

    LOCAL = "local"
    RAY = "ray"


def generate(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE... OUT",
            help="Folders, quoted patterns, tar shards or fsspec URLs of pictures; last the folder to write.",
        ),
    ],
    model: MODEL = "tiny",
    preset: Annotated[
        Preset | None,
        typer.Option(
            help="Settings of everything-mode: the public generator's, the paper's, or for small models.",
            show_default="tiny with the model tiny, else paper",
        ),
    ] = None,
    points_per_side: Annotated[
        int | None, typer.Option(help="Side of the grid of clicks.", show_default="32", min=1, max=512)
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="PATTERN", help="Only pictures whose name fits; may be repeated.", show_default=False),
    ] = None,
    licence: Annotated[str, typer.Option(help="Terms of the pictures, written beside each.")] = "not stated",
    name: Annotated[str, typer.Option(help="Title of the dataset's card.")] = "dataset",
    workers: Annotated[int, typer.Option(help="Processes, or actors of Ray.", min=1)] = 1,
    engine: Annotated[Engine, typer.Option(help="Processes of this machine, or a Ray cluster.")] = Engine.LOCAL,
    ray_address: Annotated[
        str | None, typer.Option(help="Cluster to join; auto for this machine's.", show_default="one for this run")
    ] = None,
    device: DEVICE = "cpu",
    dtype: DTYPE = Dtype.FLOAT32,
    threads: Annotated[int, typer.Option(help="Threads of the model in each worker.", min=1)] = 1,
    pictures_per_shard: Annotated[int, typer.Option(help="Pictures of each shard but the last.", min=1)] = 1000,
    pictures_per_piece: Annotated[int, typer.Option(help="Pictures that a kill may cost.", min=1)] = 16,
    first_number: Annotated[int, typer.Option(help="Number of the first picture.", min=0)] = 1,
    max_pixels: Annotated[int, typer.Option(help="Set larger pictures aside undecoded.", min=1)] = 200_000_000,
    json: JSON = False,
) -> None:
    """Make a dataset: every mask that the model finds in the pictures of each SOURCE, as SA-1B's shards in OUT.

    The work is cut into pieces named by content. Whatever is killed (a worker, all of it, the machine), **the same
    command goes on**, with another number of workers or another engine if you like, and the shards end up byte for byte
    the same. Damaged pictures are set aside and named, so are pictures that end every worker; the exit code is then 1.

    OUT gets `sa_000000.tar` and so on (sa_N.jpg with sa_N.json), `dataset.json` and `README.md` (counts, licences, how
    made, what is missing), `report.json` (masks a picture, what each filter rejected, rates), and `work/` to go on.

    **Examples**

    ```
    anymask generate photos dataset
    anymask generate 'shards/*.tar' dataset --workers 2 --licence 'CC BY 4.0'
    anymask generate s3://bucket/photos dataset --model sam_vit_h.pth --device cuda --workers 8
    anymask generate photos /shared/dataset --engine ray --ray-address auto --workers 64 --device cuda
    ```
    """
    from anymask.data_engine.automatic import CrewConfig, GenerateHooks
    from anymask.data_engine.automatic import generate as run
    from anymask.data_engine.generation.config import GenerateConfig
    from anymask.model.weights import model_hash

    if len(sources) < 2:
        raise typer.BadParameter("give at least one SOURCE and then the folder OUT")
    *given, out = sources
    if preset is None:
        preset = Preset.TINY if model == "tiny" else Preset.PAPER
    path = Path(model).expanduser()
    config = GenerateConfig(
        model=str(path.absolute()) if path.exists() else model,
        model_sha256=model_hash(load_model(model, "cpu", dtype)),
        preset=preset.value,
        points_per_side=points_per_side,
        device=device,
        dtype=dtype.value,
        threads=threads,
        max_pixels=max_pixels,
        pictures_per_shard=pictures_per_shard,
        pictures_per_piece=pictures_per_piece,
        first_number=first_number,
        name=name,
        licence=licence,
    )
    crew = CrewConfig(workers=workers, engine=engine.value, ray_address=ray_address)
    with (
        stop_signals("stopping; what is finished is kept") as stop,
        console.progress_bar("generate", unit="pictures") as update,
    ):
        hooks = GenerateHooks(
            progress=_Progress(update), tell=console.warn, should_stop=lambda: bool(stop.signal), hashed=_say_hashed
        )
        report = run(given, Path(out), config, crew, only=only or (), hooks=hooks)
    _say(report, Path(out), as_json=json)
    if not report.finished:
        raise typer.Exit(128 + stop.signal)
    if report.failed:
        console.warn(f"{len(report.failed)} pictures were set aside; report.json names each")
        raise typer.Exit(_SOME_FAILED)


class _Progress:
    """A bar, or where nobody sees one a line now and then: pictures done, rate, time left."""

    def __init__(self, update: console.Update) -> None:
        self._update = update
        self._start = self._said = time.monotonic()
        self._first: int | None = None

    def __call__(self, done: int, total: int) -> None:
        self._update(done, total)
        now = time.monotonic()
        if self._first is None:
            self._first = done
        elif not console.is_terminal() and now - self._said >= _SAY_EVERY_S:
            self._said = now
            rate = describe_rate(done - self._first, total - done, now - self._start)
            console.warn(f"{done} of {total} pictures, {rate}")


def describe_rate(done: int, left: int, seconds: float) -> str:
    """Rate and time left in words.

    >>> describe_rate(30, 120, 60.0), describe_rate(0, 120, 60.0)
    ('30.0 a minute, 4 min left', '0.0 a minute')
    """
    rate = 60 * done / seconds if seconds > 0 else 0.0
    return f"{rate:.1f} a minute" + (f", {left / rate:.0f} min left" if rate else "")


def _say_hashed(count: int) -> None:
    if count % 10_000 == 0:
        console.warn(f"{count} pictures listed and hashed")


def _say(report: GenerateReport, out: Path, *, as_json: bool) -> None:
    if as_json:
        console.say_json({"out": str(out), "finished": report.finished, **report.report})
        return
    if not report.finished or report.card is None:
        console.say(f"{out}: not finished; the same command goes on")
        return
    plain: dict[str, Any] = report.report
    a_picture = plain["masks_a_picture"].get("mean", 0)
    rate = plain["throughput"]["this_start"]["pictures_a_minute"]
    console.say(
        f"{out}: {report.card.pictures} pictures, {report.card.masks} masks ({a_picture} a picture), "
        f"{len(report.card.shards)} shards, {len(report.card.left_out)} left out, {rate} pictures a minute"
    )

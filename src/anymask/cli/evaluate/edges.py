"""`anymask evaluate edges`: the boundary benchmark on models, baselines, and edge maps of others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anymask.cli import console
from anymask.cli.evaluate.columns import column_name
from anymask.cli.evaluate.masks import MAX_PICTURES, check_there, finish
from anymask.cli.options import DEVICE, DTYPE, JSON, Dtype, expand_paths, load_model
from anymask.errors import ConfigError

if TYPE_CHECKING:
    from anymask.evaluation.edge_finders import EdgeFinder


def edges(
    data: Annotated[
        list[str],
        typer.Option(
            metavar="PATH",
            help="The unpacked BSDS500 archive, or tar shards or folders of sets with several label maps a picture: a "
            "path or a quoted pattern; may be repeated.",
        ),
    ],
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="A name or file, as elsewhere; may be repeated; none for baselines alone.",
            show_default="tiny, none with --maps",
        ),
    ] = None,
    maps: Annotated[
        list[Path] | None,
        typer.Option(
            help="A folder of edge maps, ID.png (grey) or ID.mat (segs, ucm2); may be repeated.", show_default=False
        ),
    ] = None,
    segmentations: Annotated[
        list[Path] | None,
        typer.Option(
            help="A folder of label maps, ID.png or ID__0.png, ID__1.png, ... from fine to coarse; may be repeated.",
            show_default=False,
        ),
    ] = None,
    nms: Annotated[
        bool, typer.Option("--nms", help="Edge maps of --maps are raw: keep their ridges only, before they are scored.")
    ] = False,
    baselines: Annotated[
        str, typer.Option(metavar="NAME,...", help="Of canny, canny_SIGMA, sobel, felzenszwalb; or none.")
    ] = "canny,sobel,felzenszwalb",
    no_annotators: Annotated[
        bool, typer.Option("--no-annotators", help="Do not score each annotator against the others too.")
    ] = False,
    split: Annotated[str, typer.Option(help="Split of the archive: train, val or test.")] = "test",
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", help="Sets of shards that take part; may be repeated.", show_default="bsds500"),
    ] = None,
    levels: Annotated[int, typer.Option(help="Thresholds at which edge maps are cut.", min=1)] = 99,
    tolerance: Annotated[
        float, typer.Option(help="How far apart matched pixels may lie, as a share of the diagonal.", min=0, max=1)
    ] = 0.0075,
    max_pictures: MAX_PICTURES = None,
    seed: Annotated[int, typer.Option(help="Seed of the error bars.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the report, and to go on from.", show_default="anymask_edges, none with --json"),
    ] = None,
    workers: Annotated[int, typer.Option(help="Processes to spread the pictures over.", min=1)] = 1,
    device: DEVICE = "cpu",
    dtype: DTYPE = Dtype.FLOAT32,
    json: JSON = False,
) -> None:
    """Edges on pictures that several people outlined: ODS, OIS, AP and R50, with 95 % intervals.

    Models find edges by a grid of clicks alone (`anymask segment --task edges`). Edge maps and segmentations of other
    programs are scored as they are, so published maps get their published figures. Every column is thinned and matched
    with each annotator's lines as the Berkeley benchmark does; the paper's figures stand beside.

    A model that is known to have learned from the pictures is headed so. The folder gets `report.html` (curves, best
    and worst pictures), `report.json`, `report.csv`, `report.txt`, and a `NAME.jsonl` for each column: the same command
    goes on where it was stopped. Pictures that cannot be read are named, and the exit code is 1.

    **Examples**

    ```
    anymask evaluate edges --data BSR --workers 2
    anymask evaluate edges --data BSR --model none
    anymask evaluate edges --data BSR --maps hed_maps --nms --baselines none
    anymask evaluate edges --data BSR --split val --segmentations regions --baselines none
    anymask evaluate edges --data 'train-*.tar' --model run/model.safetensors --max-pictures 50
    ```
    """
    from anymask.evaluation.edges_report import make_experiment
    from anymask.evaluation.metrics import BootstrapConfig
    from anymask.evaluation.protocols.edges import EdgeBenchmarkConfig, run

    config = EdgeBenchmarkConfig(
        levels=levels,
        tolerance=tolerance,
        split=split,
        sets=tuple(sets or ("bsds500",)),
        max_pictures=max_pictures,
        annotators=not no_annotators,
        bootstrap=BootstrapConfig(resamples=1000, seed=seed),
    )
    check_there(Path(one) for one in data)
    paths = expand_paths(data)
    # Folders and baselines before models: a wrong name should not be told after a download.
    given = [*_folders(maps or (), segmentations or (), suppress=nms)]
    simple = _baselines(baselines)
    models = [] if model == ["none"] else model or ([] if given else ["tiny"])
    finders = [*_models(models, device, dtype), *given, *simple]
    folder = out if out is not None or json else Path("anymask_edges")
    with console.progress_bar("edges", unit="pictures") as update:
        result = run(config, paths, finders, out=folder, progress=update, workers=workers)
    finish(make_experiment(result, paths, finders, with_pictures=folder is not None), folder, as_json=json)


def _folders(maps: Sequence[Path], segmentations: Sequence[Path], *, suppress: bool) -> list[EdgeFinder]:
    from anymask.evaluation.edge_finders import MapFolder

    if suppress and not maps:
        raise ConfigError("--nms is about the edge maps of --maps; give a folder of them")
    found: list[EdgeFinder] = []
    for folder in (*maps, *segmentations):
        if not folder.is_dir():
            raise ConfigError(f"{folder} is not a folder; give one with a file ID.png or ID.mat for every picture")
        name = folder.absolute().name or "maps"
        found.append(MapFolder(folder, name, segmentations=folder in segmentations, suppress=suppress))
    return found


def _models(models: Sequence[str], device: str, dtype: Dtype) -> list[EdgeFinder]:
    from anymask.evaluation.edge_finders import ModelEdges
    from anymask.evaluation.seen import trained_sets
    from anymask.predict.predictor import Predictor

    return [
        ModelEdges(Predictor(load_model(one, device, dtype)), column_name(one), trained_sets(one)) for one in models
    ]


def _baselines(names: str) -> list[EdgeFinder]:
    from anymask.evaluation.edge_baselines import edge_baselines

    return [] if names == "none" else edge_baselines(names)

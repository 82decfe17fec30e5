"""`anymask export`: a model as ONNX files, each checked against PyTorch."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anymask.cli import console
from anymask.cli.options import JSON, MODEL, load_model
from anymask.errors import ExportError

if TYPE_CHECKING:
    from anymask.predict.export import ExportReport


class Part(StrEnum):
    """A file that can be written."""

    ENCODER = "encoder"
    DECODER = "decoder"
    BROWSER = "browser"
    WHOLE = "whole"


def export(
    out: Annotated[Path, typer.Option(help="Folder for the files, one `PART.onnx` each.")],
    model: MODEL = "tiny",
    part: Annotated[
        list[Part] | None, typer.Option(help="What to write; may be repeated.", show_default="all four")
    ] = None,
    half: Annotated[bool, typer.Option("--half", help="Store weights in 16 bits: half the size.")] = False,
    only_best: Annotated[
        bool, typer.Option("--only-best", help="browser and whole return the best mask only, not all.")
    ] = False,
    json: JSON = False,
) -> None:
    """Write a model as ONNX, to run it without PyTorch.

    `encoder`: picture to embedding. `decoder`: embedding and prompts to all masks. `browser`: the same, with the best
    mask and its box as outputs of their own. `whole`: picture and prompts to masks. All take any number of prompts.
    Each file is run in onnxruntime and compared with PyTorch before it gets its name.

    **Examples**

    ```
    anymask export --out onnx
    anymask export --model vit_b --part encoder --part decoder --out onnx
    anymask export --part browser --only-best --half --out web
    ```
    """
    from anymask.predict.export import ExportConfig, export_onnx

    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ExportError(f"the folder {out} cannot be made ({error.strerror}); name another with --out") from error
    loaded = load_model(model, "cpu")
    reports: list[ExportReport] = []
    parts = list(dict.fromkeys(part or Part))
    with console.progress_bar("export", unit="files") as update:
        for index, name in enumerate(parts):
            update(index, len(parts))
            best = only_best and name in (Part.BROWSER, Part.WHOLE)
            config = ExportConfig(part=name.value, only_best=best, half=half)
            reports.append(export_onnx(loaded, out / f"{name.value}.onnx", config))
            if not json:
                console.say(_one_line(reports[-1]))
    if json:
        console.say_json({"model": model, "files": [_to_plain(report) for report in reports]})


def _one_line(report: ExportReport) -> str:
    size = f"{report.size_bytes / 1e6:.1f} MB"
    return f"{report.path}: {size}, differs from PyTorch by at most {report.max_difference:.1e}"


def _to_plain(report: ExportReport) -> dict[str, Any]:
    return {
        "part": report.config.part,
        "path": str(report.path),
        "files": [str(path) for path in report.files],
        "size_bytes": report.size_bytes,
        "sha256": report.sha256,
        "inputs": list(report.inputs),
        "outputs": list(report.outputs),
        "differences": report.differences,
    }

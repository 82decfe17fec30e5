"""The measured part of docs/made_dataset.md: a dataset made by the embedded model, studied, released, read back.

    python docs/measure_made_dataset.py ../shared/data runs/made [--points-per-side 10]

Runs the commands that the page shows (what is finished is not made again), writes what stands between the two marks of
the page, and the sheet of pictures beside it. Of the first two training shards' pictures it takes food_plates (MIT),
and a fifth of the first one's animals7 (CC BY 4.0): both may be shown.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np

from anymask.cli.main import main as anymask
from anymask.data_engine.quality import shown_interval
from anymask.dataset.read import index_shards
from anymask.dataset.shards import write_members
from anymask.dataset.sources import read_labelled
from anymask.figures import Table, as_markdown, contact_sheet, encode, overlay
from anymask.images.load import load_image

PAGE = Path(__file__).parent / "made_dataset.md"
SHEET = Path(__file__).parent / "pictures" / "made_dataset.jpg"
BEGIN, END = "<!-- measured: written by docs/measure_made_dataset.py -->", "<!-- end of measured -->"
LICENCES = {"food_plates": "MIT", "animals7": "CC BY 4.0"}
SHARDS = {"food_plates": ("train-00.tar", "train-01.tar"), "animals7": ("train-00.tar",)}
CHOSEN = {"food_plates": "*/food_plates/*", "animals7": "*/animals7/*[05].webp"}
SHOWN = 12


def main(arguments: Sequence[str]) -> None:
    """Make, study, release, read back; then write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of train-*.tar")
    parser.add_argument("out", type=Path, help="folder to work in")
    parser.add_argument("--points-per-side", type=int, default=10)
    given = parser.parse_args(arguments)
    out: Path = given.out
    shards = {name: [given.data / shard for shard in SHARDS[name]] for name in SHARDS}
    for name, sources in shards.items():
        grid = ["--points-per-side", str(given.points_per_side), "--only", CHOSEN[name]]
        run("generate", *sources, out / name, *grid, "--licence", LICENCES[name], "--name", name)
    made, labels, column = out / "made", out / "labels.tar", out / "sets.csv"
    if not made.exists():
        run("dataset", "merge", *(out / name for name in shards), made, "--renumber")
    run("dataset", "check", made, "--json")
    write_labels(labels, shards)
    write_column(column, made, labels)
    compared = (f"made by tiny={made}", f"labelled by people={labels}")
    run("dataset", "study", "statistics", *compared, "--metadata", column, "--by", "set", "--out", out / "statistics")
    run("dataset", "study", "quality", made, labels, "--out", out / "quality")
    if not (out / "run").exists():
        learnt = ("--from", "tiny", "--recipe", "finetune_decoder", "--steps", "4", "--out", out / "run")
        run("train", made, *learnt)
    run("dataset", "release", made, out / "released")
    SHEET.write_bytes(encode(sheet(made), "jpeg"))
    before, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n\n{page(out)}\n{END}{rest.partition(END)[2]}")


def run(*words: object) -> None:
    """One command; ends the program when it does not end well."""
    print("anymask", *words, file=sys.stderr, flush=True)
    code = anymask([str(word) for word in words])
    if code:
        sys.exit(code)


def write_labels(path: Path, shards: dict[str, list[Path]]) -> None:
    """What people said of the same pictures, copied out of the shards as it is."""
    entries = [
        one
        for name, sources in shards.items()
        for one in index_shards(sources)
        if fnmatchcase(f"/{one.name}.webp", CHOSEN[name])
    ]
    members = []
    for entry in entries:
        for span, ending in ((entry.image, ".webp"), *((span, f"__{n}.png") for n, span in enumerate(entry.maps))):
            with span.file.open("rb") as stream:
                stream.seek(span.offset)
                members.append((entry.name + ending, stream.read(span.size)))
    write_members(path, members)


def write_column(path: Path, *datasets: Path) -> None:
    """The set of every picture, as a table that the study of statistics takes."""
    with path.open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(("picture", "set"))
        for picture in (one for dataset in datasets for one in read_labelled(dataset)):
            name = picture.notes.source or picture.name
            table.writerow((name, PurePosixPath(name).parent.name))


def sheet(made: Path) -> Any:
    """Pictures with their masks, the same distance apart in the dataset."""
    pictures = list(read_labelled(made))
    places = np.linspace(0, len(pictures) - 1, SHOWN).round().astype(int)
    tiles = [overlay(load_image(pictures[i].image_bytes()).pixels, pictures[i].masks) for i in places]
    return contact_sheet(tiles, columns=4, tile_px=240)


def page(out: Path) -> str:
    """Everything that was measured, as Markdown."""
    card = json.loads((out / "made" / "dataset.json").read_text())
    reports = [json.loads((out / name / "report.json").read_text()) for name in LICENCES]
    model = card["made"][0][0]
    parts = [
        f"Weights `{model['model']}`, sha256 of the values {model['model_sha256'][:12]}; {model['software']}.",
        as_markdown(Table(("licence", "pictures"), card["licences"])),
        _statistics(json.loads((out / "statistics" / "report.json").read_text())),
        _rejected(reports, card["masks"]),
        "## Beside people's labels of the same pictures",
        _quality(json.loads((out / "quality" / "report.json").read_text())),
        "## Read back, and released",
        _released(out),
        "## What it cost",
        _cost(reports),
    ]
    return "\n\n".join(parts) + "\n"


def _statistics(report: dict[str, Any]) -> str:
    measures = {
        "pictures": "pictures",
        "masks": "masks",
        "masks a picture": "masks_a_picture",
        "most masks of a picture": "most_masks_of_a_picture",
        "mean relative size": "mean_relative_size",
        "mean concavity, strata of size alike": "mean_concavity_stratified",
        "share of centres in the four corners": "share_of_centres_in_corners",
    }
    columns: dict[str, dict[str, Any]] = {}
    for name, figures in report["datasets"].items():
        columns[name] = figures
        columns |= {f"{name}: {group}": figures["groups"][group] for group in LICENCES}
    rows = [(title, *(_figure(figures[key]) for figures in columns.values())) for title, key in measures.items()]
    return as_markdown(Table(("figure", *columns), rows))


def _rejected(reports: Sequence[dict[str, Any]], masks: int) -> str:
    reasons = {
        key: sum(one["answers_rejected_by"][key] for one in reports) for key in reports[0]["answers_rejected_by"]
    }
    took = ", ".join(f"{key.replace('_', ' ')} {count:,}" for key, count in reasons.items() if count)
    answers = sum(reasons.values()) + masks
    return f"Of the model's {answers:,} answers the filters took: {took}. {masks:,} are left."


def _quality(report: dict[str, Any]) -> str:
    measures = ("above .9", "above .75", "mean IoU")
    groups = {"every pair": report["every_pair"]}
    groups |= {f"relative size {name}": group for name, group in report["by_size"].items()}
    groups |= {f"predicted IoU {name}": group for name, group in report["by_score"].items()}
    rows = [
        (name, group["pairs"], group["pictures"], *(shown_interval(group, measure) for measure in measures))
        for name, group in groups.items()
    ]
    alone = f"{report['removed']:,} automatic masks and {report['added']:,} of people's have no partner."
    return as_markdown(Table(("pairs of", "pairs", "pictures", *measures), rows)) + f"\n\n{alone}"


def _released(out: Path) -> str:
    report = json.loads((out / "released" / "release.json").read_text())
    lines = [json.loads(line) for line in (out / "run" / "metrics.jsonl").read_text().splitlines()]
    steps = max(line["step"] for line in lines)
    return (
        f"`train` took the folder as it is and made its {steps} steps. `release` blurred {report['finds']} finds in "
        f"{report['pictures_with_finds']} of {report['pictures']} pictures."
    )


def _cost(reports: Sequence[dict[str, Any]]) -> str:
    rates = [one["throughput"] for one in reports]
    pictures = [one["pictures"] for one in reports]
    stages = rates[0]["seconds_a_picture"]
    spent = {key: np.average([rate["seconds_a_picture"][key] for rate in rates], weights=pictures) for key in stages}
    cpu = np.average([rate["cpu_seconds_a_picture"] for rate in rates], weights=pictures)
    waited_ms = 1000 * spent.pop("model waits")
    rows = [(name, f"{seconds / sum(spent.values()):.1%}") for name, seconds in spent.items()]
    shares = as_markdown(Table(("stage", "share of all stages' time"), rows))
    return f"One worker, {cpu:.2f} seconds of CPU a picture; the model waited {waited_ms:.1f} ms a picture.\n\n{shares}"


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:.3f}"


if __name__ == "__main__":
    main(sys.argv[1:])

"""The measured part of docs/experiments/README.md: every experiment on every validation set, tables and pictures.

    python docs/measure_experiments.py ../shared/data [--max-pictures 20] [--model tiny] [--runs runs/experiments]

Runs `anymask evaluate points | proposals | instances` on val-*.tar, and points on train-*.tar too, which are told
apart. A run that was stopped goes on. Then it writes what stands between the two marks of the page, and the pictures
beside it: plots of all sets, and masks of food_plates alone, whose pictures may be shown (MIT).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from anymask.cli.main import main as anymask
from anymask.dataset.labelled import read_data
from anymask.evaluation.answering import score_from_plain
from anymask.evaluation.datasets import abbreviation_of
from anymask.evaluation.examples import best_middle_worst
from anymask.evaluation.published import SAM_MINUS_RITM
from anymask.evaluation.results import MEAN
from anymask.evaluation.rows import read_rows
from anymask.figures import Labels, Series, Table, as_markdown, contact_sheet, curves, deltas, encode, overlay
from anymask.masks.rle import decode

PAGE = Path(__file__).parent / "experiments" / "README.md"
BEGIN, END = "<!-- measured: written by docs/measure_experiments.py -->", "<!-- end of measured -->"
SHOWN_SET = "food_plates"
VERBS = ("points", "instances", "proposals")
MEASURES = {
    "click": "one click",
    "click_oracle": "oracle of three",
    "box": "box",
    "clicks_3": "3 clicks",
    "clicks_9": "9 clicks",
}


def main(arguments: Sequence[str]) -> int:
    """Evaluate, then write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of val-*.tar and train-*.tar")
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--max-pictures", type=int, help="of each set, for points; all unless given")
    parser.add_argument("--instance-pictures", type=int, help="of each set, for instances; all unless given")
    parser.add_argument("--baselines", default="felzenszwalb", help="of points; GrabCut takes longer than tiny")
    parser.add_argument("--train-pictures", type=int, default=60, help="of each set that was trained on, for points")
    parser.add_argument("--proposal-pictures", type=int, default=5)
    parser.add_argument("--points-per-side", type=int, default=64, help="grid of proposals; the paper's is 64")
    parser.add_argument("--runs", type=Path, default=Path("runs/experiments"))
    given = parser.parse_args(arguments)
    shards = sorted(given.data.glob("val-*.tar"))
    grid = [*at_most(given.proposal_pictures), "--points-per-side", str(given.points_per_side)]
    seen = [*at_most(given.train_pictures), "--baselines", "none"]
    runs = {
        "points": ("points", shards, [*at_most(given.max_pictures), "--baselines", given.baselines]),
        "instances": ("instances", shards, at_most(given.instance_pictures)),
        "proposals": ("proposals", shards, grid),
        "points_seen": ("points", sorted(given.data.glob("train-*.tar")), seen),
    }
    reports = {}
    for name, (verb, data, more) in runs.items():
        named = [part for shard in data for part in ("--data", str(shard))]
        code = anymask(["evaluate", verb, *named, "--model", given.model, *more, "--out", str(given.runs / name)])
        if code:
            return code
        reports[name] = json.loads((given.runs / name / "report.json").read_text())
    changed = [
        f" --{name.replace('_', '-')} {value}"
        for name, value in vars(given).items()
        if name not in ("data", "runs") and value != parser.get_default(name)
    ]
    command = f"`python docs/measure_experiments.py ../shared/data{''.join(changed)}`"
    size = (
        f"Model `{given.model}`: {how_many(given.max_pictures)} of each `val-*` set for points, "
        f"{how_many(given.instance_pictures)} for instances, {how_many(given.proposal_pictures)} for proposals with "
        f"{given.points_per_side} x {given.points_per_side} clicks, on {reports['points']['machine']['processor']}. "
        "None of these pictures was trained on. Brackets: 95 % bootstrap over pictures."
    )
    draw_deltas(reports["points"], PAGE.parent / "points_deltas.png")
    draw_curve(reports["points"], PAGE.parent / "points_clicks.png")
    draw_examples(given.runs / "instances" / f"{reports['instances']['columns'][0]}.jsonl", shards)
    valid = {verb: reports[verb] for verb in VERBS}
    parts = [
        command,
        size,
        *points_part(reports["points"]),
        *seen_part(reports["points_seen"], given),
        *tables_part(valid),
    ]
    write_page("\n\n".join(parts))
    return 0


def at_most(pictures: int | None) -> list[str]:
    """The option for so many pictures of each set; none for all."""
    return [] if pictures is None else ["--max-pictures", str(pictures)]


def how_many(pictures: int | None) -> str:
    """The same in words."""
    return "every picture" if pictures is None else f"{pictures} pictures"


def write_page(text: str) -> None:
    """Put `text` between the marks of the page."""
    page = PAGE.read_text()
    before, rest = page.split(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.split(END)[1]}")


def points_part(report: dict[str, Any]) -> list[str]:
    """A table a measure set by set, and the figure of differences."""
    columns = report["columns"]
    cells = {(row["measure"], row["set_name"], row["column"]): row for row in report["scores"]}
    sets = list(dict.fromkeys(row["set_name"] for row in report["scores"]))
    lines = []
    for measure, title in MEASURES.items():
        for name in sets:
            found = [cells.get((measure, name, column)) for column in columns]
            known = [one for one in found if one is not None]
            if known:
                shown = ["" if one is None else interval(one["iou"]) for one in found]
                lines.append([title, name, known[0]["pictures"], known[0]["masks"], *shown])
    return [
        "### Points: mean IoU",
        as_markdown(Table(["prompt", "set", "pictures", "masks", *columns], lines)),
        "![Mean IoU after 1, 2, 3, 5 and 9 clicks, mean of the sets](points_clicks.png)",
        "![Difference of mean IoU after one click, set by set](points_deltas.png)",
    ]


def seen_part(report: dict[str, Any], given: argparse.Namespace) -> list[str]:
    """The sets that the model learned from, a row a set: what it has kept of them, not how it does on new pictures."""
    cells = {(row["measure"], row["set_name"]): row for row in report["scores"]}
    lines = []
    for name in dict.fromkeys(row["set_name"] for row in report["scores"]):
        first = cells["click", name]
        shown = [interval(cells[measure, name]["iou"]) for measure in MEASURES]
        lines.append([name, first["pictures"], first["masks"], *shown])
    return [
        "### Points on pictures that were trained on",
        f"`{given.model}` **learned from these pictures**: {given.train_pictures} of each set of `train-*`, the same "
        "prompts. They are of other kinds than those before, so a difference between the two tables is of the kinds "
        "and of having been learned, together.",
        as_markdown(Table(["set", "pictures", "masks", *MEASURES.values()], lines)),
    ]


def tables_part(reports: dict[str, dict[str, Any]]) -> list[str]:
    """Instances, proposals, and seconds a picture."""
    found = []
    titles = {
        "instances": "Instances: tight boxes of the ground truth, class-agnostic mask AP",
        "proposals": "Proposals: class-agnostic average recall",
    }
    for verb, title in titles.items():
        report = reports[verb]
        measures = list(dict.fromkeys(row["measure"] for row in report["scores"]))
        cells = {(row["measure"], row["column"]): row for row in report["scores"]}
        rows = [[one, *(plain(cells.get((one, name))) for name in report["columns"])] for one in measures]
        found += [f"### {title}", as_markdown(Table(["measure", *report["columns"]], rows))]
    found.append(f"![Best, median and worst of {SHOWN_SET}, boxes turned into masks](instances_{SHOWN_SET}.jpg)")
    rows = [
        [verb, column, f"{times['own']:.2f}", f"{times['scoring']:.3f}"]
        for verb, report in reports.items()
        for column, times in report["seconds_a_picture"].items()
    ]
    found += ["### Seconds a picture", as_markdown(Table(["experiment", "column", "its own work", "scoring"], rows))]
    return found


def interval(iou: dict[str, float]) -> str:
    """A mean with its interval."""
    return f"{iou['mean']:.3f} [{iou['low']:.3f}, {iou['high']:.3f}]"


def plain(row: dict[str, Any] | None) -> str:
    """The same of another report's row."""
    if row is None or row["value"] is None:
        return "-"
    if row["low"] is None:
        return f"{row['value']:.1f}"
    return f"{row['value']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"


def draw_deltas(report: dict[str, Any], path: Path) -> None:
    """The first column minus each other one after one click, beside SAM minus RITM of the paper on all of its sets."""
    differences = [one for one in report["differences"] if one["comparison"]["measure"] == "click"]
    sets = list(report["differences"][0]["comparison"]["per_set"]) if report["differences"] else []
    paper = [name for name in SAM_MINUS_RITM if name not in {abbreviation_of(one) for one in sets}]
    names = [*sets, *paper]
    unknown = float("nan")
    series = []
    for one in differences:
        values = {name: part["mean"] for name, part in one["comparison"]["per_set"].items()}
        series.append(
            Series(
                name=f"{one['column']} - {one['minus']} (ours)", values=[values.get(name, unknown) for name in names]
            )
        )
    published = [SAM_MINUS_RITM.get(abbreviation_of(name) or name, unknown) for name in names]
    series.append(Series(name="SAM ViT-H - RITM (published, figure 9a)", values=published))
    labels = Labels(title="One click in the middle: difference of mean IoU", x="IoU")
    path.write_bytes(encode(deltas([with_abbreviation(name) for name in names], series, labels)))


def draw_curve(report: dict[str, Any], path: Path) -> None:
    """Mean IoU of every column that takes clicks after each number of them, mean of the sets, with its interval."""
    counts = report["config"]["clicks"]
    means = {(row["column"], row["measure"]): row["iou"] for row in report["scores"] if row["set_name"] == MEAN}
    series = []
    for column in report["columns"]:
        found = [means.get((column, "click" if count == 1 else f"clicks_{count}")) for count in counts]
        known = [one for one in found if one is not None]
        if len(known) == len(counts):
            values, low, high = ([one[part] for one in known] for part in ("mean", "low", "high"))
            series.append(Series(name=column, values=values, low=low, high=high))
    path.write_bytes(encode(curves(counts, series, Labels(title="Mean of sets", x="clicks", y="mean IoU"))))


def with_abbreviation(name: str) -> str:
    """A set's name, and what the paper calls it where that is another."""
    paper = abbreviation_of(name)
    return name if paper is None or paper == name else f"{name} ({paper})"


def draw_examples(rows: Path, shards: Sequence[Path]) -> None:
    """The best, median and worst pictures of the set that may be shown: truth, then answers."""
    scores = [one for one in read_rows(rows, score_from_plain) if one.picture.startswith(f"{SHOWN_SET}/")]
    ranked = sorted((one for one in scores if one.nearest), key=lambda one: -one.mean_iou)
    chosen = [score for several in best_middle_worst(ranked, 2).values() for score in several]
    wanted = {score.picture for score in chosen}
    own = [shard for shard in shards if SHOWN_SET in shard.name]
    records = {record.name: record for record in read_data(own) if record.name in wanted}
    tiles, titles = [], []
    for score in chosen:
        pixels = records[score.picture].pixels()
        truths = [decode(one.truth) for one in score.nearest]
        answers = [decode(one.answer) if one.answer is not None else truths[0] & False for one in score.nearest]
        tiles += [overlay(pixels, truths), overlay(pixels, answers)]
        titles += ["truth", f"answers, mean IoU {score.mean_iou:.2f}"]
    sheet = contact_sheet(tiles, titles=titles, columns=4)
    (PAGE.parent / f"instances_{SHOWN_SET}.jpg").write_bytes(encode(sheet, "jpeg"))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

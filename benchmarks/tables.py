"""docs/performance.md's tables, written from the newest results.  python -m benchmarks.tables

The text around them stays; `--check` only says whether they are up to date.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"
PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- measured: written by benchmarks/tables.py -->", "<!-- end of measured -->"
TITLES = {
    "encoder": "Image encoder (ViT-B, 1024 x 1024)",
    "decoder": "Mask decoder (ViT-B's, 64 x 64 embedding, three masks a click)",
    "everything": "Everything-mode (ViT-B, 1500 x 2250 picture, 32 x 32 clicks)",
    "training": "A training step, the optimiser left out (benchmarks/training.py)",
    "postprocess": "Everything-mode after the decoder (121 clicks, 1500 x 2250 picture)",
}
GENERATION = {"generation-vit_b": "Bulk generation, ViT-B", "generation-tiny": "Bulk generation, `tiny`"}


def main(arguments: list[str]) -> int:
    """Write the page, or with --check compare it; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args(arguments).check
    old = PAGE.read_text()
    new = with_tables(old, tables(RESULTS))
    if check:
        return int(old != new)
    PAGE.write_text(new)
    return 0


def with_tables(page: str, measured: str) -> str:
    """`page` with what stands between its two marks replaced."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{measured}\n{END}{after}"


def tables(results: Path) -> str:
    """Markdown of every machine's results, machines and benchmarks in order of their names."""
    folders = sorted(path.parent for path in results.glob("*/*.json"))
    return "\n".join(_machine(folder) for folder in dict.fromkeys(folders))


def _machine(folder: Path) -> str:
    reports = {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}
    name = next(iter(reports.values()))["machine"]
    parts = [f"### {name}\n"]
    parts += [_versus(title, reports[key]) for key, title in TITLES.items() if key in reports]
    parts += [_generation(title, reports[key]) for key, title in GENERATION.items() if key in reports]
    if "tiny" in reports:
        parts.append(_tiny(reports["tiny"]))
    if "data" in reports:
        parts.append(_data(reports["data"]))
    return "\n".join(parts)


def _versus(title: str, report: dict[str, Any]) -> str:
    lines = [
        f"**{title}**, {report['threads']} threads, beside {report['peer']}\n",
        "| case | ours | public | times faster | answers |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [_row(row) for row in report["rows"]]
    rate, memory = report["matrix_product_gflops"], report["memory_ratio"]
    lines.append(
        f"\nPeak memory {report['ours_peak_mb']} MB beside {report['peer_peak_mb']} MB: **{memory:.2f}** of it. "
        f"The machine's float32 matrix products run at {rate:.0f} GFLOP/s."
    )
    if report.get("gflop"):
        reached = report["gflop"] / report["rows"][0]["ours_s"]
        lines.append(f"The encoder runs at {reached:.0f} GFLOP/s, **{reached / rate:.0%}** of that.")
    return "\n".join(lines) + "\n"


def _row(row: dict[str, Any]) -> str:
    ours, peer = _time(row["ours_s"]), _time(row["peer_s"])
    return f"| {row['case']} | {ours} | {peer} | **{row['ratio']:.2f}** | {row['note']} |"


def _generation(title: str, report: dict[str, Any]) -> str:
    height, width = report["picture_hw"]
    side = report["points_per_side"]
    lines = [
        f"**{title}** ({height} x {width} pictures, {side} x {side} clicks), one thread a worker\n",
        "| program | pictures a minute | times the public generator's with as many threads |",
        "| --- | --- | --- |",
    ]
    for name, rate in report["pictures_a_minute"].items():
        ratio = "" if name.startswith("public") else report["times_faster"].get(name.split()[0], "")
        lines.append(f"| {name} | {rate} | {f'**{ratio}**' if ratio else ''} |")
    one, two, bare = report["one_worker"], report["two_workers"], report["bare_model"]
    lines += [
        f"\nElse at work: {report['busy']}.",
        f"Two workers did **{report['two_workers_beside_one']}** times one's work, each {two['cpu_s']:.2f} s of CPU in",
        f"{two['wall_s']:.2f} s by the clock a picture. From files to shards one worker takes {one['cpu_s']:.2f} s of",
        f"CPU a picture, everything-mode alone on decoded pictures {bare['cpu_s']:.2f} s: the pipeline costs",
        f"**{report['overhead_of_the_cpu']:+.1%}** ({report['overhead_by_the_clock']:+.1%} by the clock), and the",
        f"model waits {1000 * one['model waits s']:.1f} ms a picture.",
    ]
    return "\n".join(lines) + "\n"


def _tiny(report: dict[str, Any]) -> str:
    rows = [
        ("picture to embedding", "picture_to_embedding"),
        ("click to full-size masks", "click_to_masks"),
    ]
    lines = [
        f"**The embedded model `tiny`**, {report['threads']} threads\n",
        "| step | median | 95th percentile |",
        "| --- | --- | --- |",
    ]
    lines += [f"| {name} | {report[f'{key}_p50_ms']} ms | {report[f'{key}_p95_ms']} ms |" for name, key in rows]
    return "\n".join(lines) + "\n"


def _data(report: dict[str, Any]) -> str:
    lines = [
        f"**Training samples** ({report['size']} x {report['size']}, {report['pictures']} pictures a step, "
        f"{report['ahead']} steps ahead)\n",
        f"| workers | pictures/s | a trainer of {report['step_s']} s a step waits |",
        "| --- | --- | --- |",
    ]
    lines += [f"| {r['workers']} | {r['pictures_per_s']} | {r['waiting_share']:.1%} |" for r in report["rows"]]
    return "\n".join(lines) + "\n"


def _time(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.1f} ms"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

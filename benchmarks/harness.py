"""Two programs side by side: each in a process of its own, taking turns, so that a machine's mood falls on both alike.

A benchmark gives two builders, ours and the peer's. Each runs in a child process and returns one function per case;
the parent asks the two in turn, case by case, and keeps medians, the median of the pairwise ratios, the largest
difference of what they returned, and each process's peak memory. The machine's own float32 matrix-product rate is
measured in the same run, with the same number of threads.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import platform
import re
import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"
Answer = Any
Builder = Callable[[], Mapping[str, Callable[[], Answer]]]
"""Builds one side in its process: a function per case that does the work once and returns what it found."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """What was measured for one case."""

    case: str
    ours_s: float
    """Median seconds."""
    peer_s: float
    ratio: float
    """Median over turns of peer seconds / our seconds: how many times faster we are."""
    turns: int
    note: str
    """How the answers compare."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """One benchmark run on one machine."""

    name: str
    peer: str
    machine: str
    threads: int
    matrix_product_gflops: float
    """float32, 2048 x 2048, best of several, the same number of threads, measured before and after the turns."""
    rows: tuple[Row, ...]
    ours_peak_mb: float
    """Peak resident memory of our process over all cases, everything included."""
    peer_peak_mb: float
    memory_ratio: float
    """Ours / peer's."""
    gflop: float = 0.0
    """Floating-point operations of one turn of the first case in 1e9, where the benchmark counts them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """How much is measured."""

    cases: Sequence[str]
    turns: int = 5
    """Counted turns of each side per case."""
    warmups: int = 1
    """Turns before that are not counted."""
    threads: int = os.cpu_count() or 1
    gflop: float = 0.0
    """See `Report.gflop`."""
    compare: Callable[[Answer, Answer], str] = lambda ours, peer: f"{difference(ours, peer):.1e}"
    """Words on how two answers compare."""


def run(name: str, peer_name: str, ours: Builder, peer: Builder, options: Options) -> Report:
    """Measure, print a table, write results/<machine>/<name>.json and return the report."""
    context = multiprocessing.get_context("spawn")
    before = _rate(context, options.threads)
    sides = {side: _Side(context, build, options.threads) for side, build in (("ours", ours), ("peer", peer))}
    rows = [_turns(case, sides, options) for case in options.cases]
    peaks = {side: process.close() for side, process in sides.items()}
    after = _rate(context, options.threads)
    report = Report(
        name=name,
        peer=peer_name,
        machine=machine(),
        threads=options.threads,
        matrix_product_gflops=round(max(before, after), 1),
        rows=tuple(rows),
        ours_peak_mb=round(peaks["ours"]),
        peer_peak_mb=round(peaks["peer"]),
        memory_ratio=round(peaks["ours"] / peaks["peer"], 3),
        gflop=options.gflop,
    )
    show(report)
    folder = RESULTS / re.sub(r"[^a-z0-9]+", "-", report.machine.lower()).strip("-")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(asdict(report), indent=1) + "\n")
    return report


def difference(ours: Answer, peer: Answer) -> float:
    """Largest absolute difference of two arrays or sequences of arrays."""
    if isinstance(ours, np.ndarray):
        return float(np.abs(ours.astype(np.float64) - peer.astype(np.float64)).max())
    return max(difference(a, b) for a, b in zip(ours, peer, strict=True))


def _turns(case: str, sides: Mapping[str, _Side], options: Options) -> Row:
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    answers: dict[str, Answer] = {}
    for turn in range(options.warmups + options.turns):
        for side, process in sides.items():
            taken, answers[side] = process.ask(case)
            if turn >= options.warmups:
                seconds[side].append(taken)
            print(f"  {case}: {side} {taken:.3f} s", file=sys.stderr, flush=True)
    ratios = [peer / ours for ours, peer in zip(seconds["ours"], seconds["peer"], strict=True)]
    return Row(
        case=case,
        ours_s=statistics.median(seconds["ours"]),
        peer_s=statistics.median(seconds["peer"]),
        ratio=round(statistics.median(ratios), 2),
        turns=options.turns,
        note=options.compare(answers["ours"], answers["peer"]),
    )


class _Side:
    """One program in its own process."""

    def __init__(self, context: Any, build: Builder, threads: int) -> None:
        self._here, there = context.Pipe()
        self._process = context.Process(target=_serve, args=(build, threads, there), daemon=True)
        self._process.start()

    def ask(self, case: str) -> tuple[float, Answer]:
        """Seconds and answer of one turn."""
        self._here.send(case)
        reply: tuple[float, Answer] = self._here.recv()
        time.sleep(0.05)  # lets the side's idle threads fall asleep before the other begins
        return reply

    def close(self) -> float:
        """End the process; its peak memory in MB."""
        self._here.send(None)
        peak: float = self._here.recv()
        self._process.join()
        return peak


def _serve(build: Builder, threads: int, pipe: Connection) -> None:
    torch.set_num_threads(threads)
    cases = build()
    while (case := pipe.recv()) is not None:
        start = time.perf_counter()
        answer = cases[case]()
        pipe.send((time.perf_counter() - start, answer))
    pipe.send(_peak_mb())


def _peak_mb() -> float:
    """Largest resident memory of this process. The rusage figure would count its parent's before the exec, on Linux."""
    status = Path("/proc/self/status")
    if status.is_file():
        return int(re.findall(r"VmHWM:\s*(\d+) kB", status.read_text())[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _rate(context: Any, threads: int) -> float:
    here, there = context.Pipe()
    process = context.Process(target=_measure_rate, args=(threads, there), daemon=True)
    process.start()
    rate: float = here.recv()
    process.join()
    return rate


def _measure_rate(threads: int, pipe: Connection) -> None:
    """float32 matrix products of 2048 x 2048: the best of twelve, in GFLOP/s."""
    torch.set_num_threads(threads)
    a, b = torch.randn(2048, 2048), torch.randn(2048, 2048)
    best = float("inf")
    for _ in range(12):
        start = time.perf_counter()
        a @ b
        best = min(best, time.perf_counter() - start)
    pipe.send(2 * 2048**3 / best / 1e9)


def machine() -> str:
    """Processor and number of cores, as the system names them."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        found = re.search(r"model name\s*: (.+)", info.read_text())
        name = found.group(1) if found else name
    return f"{name} {os.cpu_count()} cores"


def show(report: Report) -> None:
    """Print the report as a table."""
    table = Table(title=f"{report.name}: anymask and {report.peer}, {report.threads} threads, {report.machine}")
    for heading in ("case", "ours", "peer", "times faster", "answers"):
        table.add_column(heading)
    for row in report.rows:
        table.add_row(row.case, _time(row.ours_s), _time(row.peer_s), f"{row.ratio:.2f}", row.note)
    console = Console(width=140)
    console.print(table)
    console.print(
        f"peak memory {report.ours_peak_mb:.0f} MB and {report.peer_peak_mb:.0f} MB: {report.memory_ratio:.2f} of the "
        f"peer's; matrix products {report.matrix_product_gflops:.0f} GFLOP/s"
    )
    if report.gflop:
        reached = report.gflop / report.rows[0].ours_s
        share = reached / report.matrix_product_gflops
        console.print(f"we run at {reached:.0f} GFLOP/s, {share:.0%} of the machine's matrix-product rate")


def _time(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.1f} ms"

"""Two evaluations of the same pictures, a column of each: how far apart are they, beyond the luck of the pictures?"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from anymask.errors import ConfigError, RunError
from anymask.evaluation.answering import score_from_plain
from anymask.evaluation.average import recall_difference
from anymask.evaluation.boundaries.scores import score_differences
from anymask.evaluation.compare import compare
from anymask.evaluation.edges_report import MEASURES as EDGE_MEASURES
from anymask.evaluation.metrics import BootstrapConfig, Interval, mean_interval
from anymask.evaluation.protocols import ambiguity, instances, proposals
from anymask.evaluation.protocols.edges import edges_from_plain
from anymask.evaluation.protocols.text import MEASURES, samples, text_from_plain
from anymask.evaluation.results import FIRST_MEASURES, MEAN, curve_measure, result_from_plain
from anymask.evaluation.rows import Row, read_rows
from anymask.evaluation.scores import shown
from anymask.figures import Labels, Paragraph, Picture, Series, Table, deltas, html_page

R = TypeVar("R", bound=Row)


@dataclass(frozen=True, kw_only=True, slots=True)
class Delta:
    """How far the first is above the second."""

    measure: str
    set_name: str
    """A set, `MEAN`, or empty where sets are not told apart."""
    value: Interval


@dataclass(frozen=True, kw_only=True, slots=True)
class RunComparison:
    """All differences of two evaluations."""

    protocol: str
    first: str
    """Folder and column."""
    second: str
    deltas: tuple[Delta, ...]


@dataclass(frozen=True, slots=True)
class _Run:
    """A folder with one of its columns."""

    folder: Path
    column: str
    report: dict[str, Any]

    @property
    def label(self) -> str:
        return f"{self.folder} {self.column}"

    def rows(self, decode: Callable[[dict[str, Any]], R]) -> list[R]:
        return read_rows(self.folder / f"{self.column}.jsonl", decode)


def compare_runs(
    first: Path, second: Path, config: BootstrapConfig, columns: tuple[str | None, str | None] = (None, None)
) -> RunComparison:
    """The column of `first` minus that of `second` (each folder's first column unless named), by paired bootstrap.

    Raises: RunError for a folder that no evaluation made; ConfigError for evaluations of different experiments or
    pictures, or an unknown column.
    """
    a, b = _open(first, columns[0]), _open(second, columns[1])
    if a.report["protocol"] != b.report["protocol"]:
        raise ConfigError(f"{first} is of {a.report['protocol']}, {second} of {b.report['protocol']}; give two of one")
    ways = {
        "points": _points,
        "edges": _edges,
        "proposals": _proposals,
        "instances": _instances,
        "text": _text,
        "ambiguity": _ambiguity,
    }
    protocol = a.report["protocol"]
    if protocol not in ways:
        raise ConfigError(f"evaluations of {protocol} cannot be compared this way; known are {', '.join(ways)}")
    found = ways[protocol](a, b, config)
    return RunComparison(protocol=protocol, first=a.label, second=b.label, deltas=tuple(found))


def to_table(comparison: RunComparison) -> Table:
    """A row a measure and set; `*` where the interval leaves out 0."""
    rows = [[one.measure, one.set_name, shown(one.value, sign=True)] for one in comparison.deltas]
    return Table(["measure", "set", "difference"], rows)


def to_page(comparison: RunComparison) -> str:
    """The differences as one self-contained page.

    Raises: MissingDependencyError without matplotlib.
    """
    named = [f"{one.measure} {one.set_name}".strip() for one in comparison.deltas]
    title = f"{comparison.first} minus {comparison.second}"
    values = [one.value.mean for one in comparison.deltas]
    plot = deltas(named, [Series(name="", values=values)], Labels(title="Difference"))
    text = (
        f"{comparison.protocol}: {title}. Brackets: paired bootstrap over pictures; * where the interval leaves out 0."
    )
    return html_page(title, [Paragraph(text), to_table(comparison), Picture(plot, "Differences", "png")])


def _open(folder: Path, column: str | None) -> _Run:
    path = folder / "report.json"
    try:
        report = json.loads(path.read_bytes())
        names = list(report["columns"])
        str(report["protocol"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path} is no report ({error}); give a folder that anymask evaluate made") from error
    if column is not None and column not in names:
        raise ConfigError(f"{folder} has no column {column!r}; it has {', '.join(names)}")
    return _Run(folder, column or names[0], report)


def _points(a: _Run, b: _Run, config: BootstrapConfig) -> list[Delta]:
    first, second = a.rows(result_from_plain), b.rows(result_from_plain)
    counts = [count for count in a.report["config"]["clicks"] if count in b.report["config"]["clicks"] and count > 1]
    found = []
    for measure in (*FIRST_MEASURES, *(curve_measure(count) for count in counts)):
        one = compare(first, second, measure, config)
        if one is not None:
            pairs = [*one.per_set.items(), (MEAN, one.mean_of_sets)]
            found += [Delta(measure=measure, set_name=name, value=value) for name, value in pairs]
    return found


def _edges(a: _Run, b: _Run, config: BootstrapConfig) -> list[Delta]:
    # A column may be headed by more than its name, which its file has.
    files = [replace(run, column=run.report["facts"].get("files", {}).get(run.column, run.column)) for run in (a, b)]
    first, second = _paired(*(run.rows(edges_from_plain) for run in files))
    values = score_differences([row.counts for row in first], [row.counts for row in second], config)
    return [Delta(measure=EDGE_MEASURES[name], set_name="", value=value) for name, value in values.items()]


def _proposals(a: _Run, b: _Run, config: BootstrapConfig) -> list[Delta]:
    settings, other = (run.report["config"]["experiment"] for run in (a, b))
    if settings["limits"] != other["limits"]:
        raise ConfigError(f"the two count {settings['limits']} and {other['limits']} proposals; evaluate both alike")
    first, second = _paired(a.rows(score_from_plain), b.rows(score_from_plain))
    left, right = [row.matches for row in first], [row.matches for row in second]
    values = recall_difference(left, right, settings["limits"], config)
    names = proposals.measures(proposals.ProposalsConfig(limits=tuple(settings["limits"])), _frequencies(a))
    return [Delta(measure=name, set_name="", value=value) for name, value in zip(names, values, strict=True)]


def _instances(a: _Run, b: _Run, config: BootstrapConfig) -> list[Delta]:
    first, second = _paired(a.rows(score_from_plain), b.rows(score_from_plain))
    settings = instances.InstancesConfig(bootstrap=config)
    values = instances.difference(settings, _frequencies(a), first, second)
    names = instances.measures(_frequencies(a))
    return [Delta(measure=name, set_name="", value=value) for name, value in zip(names, values, strict=True)]


def _text(a: _Run, b: _Run, config: BootstrapConfig) -> list[Delta]:
    first, second = _paired(a.rows(text_from_plain), b.rows(text_from_plain))
    for one, other in zip(first, second, strict=True):
        if [score.phrase for score in one.phrases] != [score.phrase for score in other.phrases]:
            raise ConfigError(f"the two asked other phrases of {one.picture}; evaluate both with the same vocabulary")
    found = []
    for measure in MEASURES:
        left, right = samples(first, measure), samples(second, measure)
        if left is not None and right is not None:
            found.append(Delta(measure=measure, set_name="", value=mean_interval(left.minus(right), config)))
    return found


def _ambiguity(a: _Run, b: _Run, config: BootstrapConfig) -> list[Delta]:
    settings, other = ({**run.report["config"], "bootstrap": None, "max_pictures": None} for run in (a, b))
    if settings != other:
        raise ConfigError(f"the two were made with other settings ({settings} and {other}); evaluate both alike")
    first, second = _paired(a.rows(ambiguity.clicks_from_plain), b.rows(ambiguity.clicks_from_plain))
    asked = ambiguity.AmbiguityConfig(contained_from=settings["contained_from"], bootstrap=config)
    found = ambiguity.differences(first, second, asked)
    return [Delta(measure=measure, set_name=set_name, value=value) for measure, set_name, value in found]


def _paired(first: Sequence[R], second: Sequence[R]) -> tuple[list[R], list[R]]:
    """Both in one order; refuses pictures that only one has, or that are not the same."""
    a, b = ({row.picture: row for row in rows} for rows in (first, second))
    apart = sorted(set(a) ^ set(b)) or sorted(name for name in a if a[name].sha256 != b[name].sha256)
    if apart:
        raise ConfigError(
            f"the two are not of the same pictures and annotations ({len(apart)} differ, first {apart[0]}); "
            "evaluate both on the same data"
        )
    return list(a.values()), [b[name] for name in a]


def _frequencies(run: _Run) -> dict[int, Any]:
    return {int(key): value for key, value in run.report.get("facts", {}).get("frequencies", {}).items()}

"""Run folders: the resolved configuration, versions and metrics of one long job, and configs as plain JSON.

Takes: a configuration dataclass and a folder.
Gives: a folder with config.json, versions.json, starts.jsonl and metrics.jsonl that can be resumed, shown and compared.
Next: `training/` and `evaluation/` write into it; `cli/` shows it.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import platform
import sys
import types
import typing
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar

import filelock

from anymask.errors import ConfigError, RunError

T = TypeVar("T")
Plain = dict[str, Any]


def without_nan(value: Any) -> Any:
    """Plain values with None in the place of NaN and infinities, which JSON has not.

    >>> without_nan({"a": [1.0, float("nan")]})
    {'a': [1.0, None]}
    """
    if isinstance(value, dict):
        return {key: without_nan(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def to_plain(config: Any) -> Any:
    """The dataclass `config` as JSON values: dataclasses become objects, tuples lists, paths strings."""
    if dataclasses.is_dataclass(config) and not isinstance(config, type):
        return {field.name: to_plain(getattr(config, field.name)) for field in dataclasses.fields(config)}
    if isinstance(config, tuple | list):
        return [to_plain(item) for item in config]
    if isinstance(config, Mapping):
        return {str(key): to_plain(value) for key, value in config.items()}
    return str(config) if isinstance(config, Path) else config


def from_plain(kind: type[T], plain: Any) -> T:
    """The dataclass `kind` from `to_plain`'s values.

    Raises: ConfigError naming an unknown or missing key, or a value of the wrong type.
    """
    if not isinstance(plain, Mapping):
        raise ConfigError(f"{kind.__name__} must be an object of fields, got {type(plain).__name__}")
    if not dataclasses.is_dataclass(kind):
        raise ConfigError(f"{kind.__name__} is not a configuration class")
    fields = {field.name for field in dataclasses.fields(kind)}
    unknown = set(plain) - fields
    if unknown:
        raise ConfigError(f"{kind.__name__} has no field {sorted(unknown)}; known are {sorted(fields)}")
    hints = typing.get_type_hints(kind)
    values = {name: _value(hints[name], value, f"{kind.__name__}.{name}") for name, value in plain.items()}
    try:
        return kind(**values)
    except TypeError as error:
        raise ConfigError(f"{kind.__name__}: {error}") from error


def _value(hint: Any, value: Any, name: str) -> Any:
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return _union(typing.get_args(hint), value, name)
    if dataclasses.is_dataclass(hint):
        return from_plain(typing.cast(type, hint), value)
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise ConfigError(f"{name} must be a list, got {value!r}")
        args = typing.get_args(hint)
        inner = args[:1] * len(value) if len(args) == 2 and args[1] is Ellipsis else args
        if len(inner) != len(value):
            raise ConfigError(f"{name} must have {len(inner)} entries, got {len(value)}")
        return tuple(_value(kind, item, name) for kind, item in zip(inner, value, strict=True))
    if origin is typing.Literal:
        if value not in typing.get_args(hint):
            raise ConfigError(f"{name} must be one of {typing.get_args(hint)}, got {value!r}")
        return value
    if hint is Path:
        return Path(value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(hint, type) and (not isinstance(value, hint) or (hint is int and isinstance(value, bool))):
        raise ConfigError(f"{name} must be {hint.__name__}, got {value!r}")
    return value


def _union(options: tuple[Any, ...], value: Any, name: str) -> Any:
    if value is None and type(None) in options:
        return None
    if isinstance(value, Mapping):
        # A union member is recognised by its own field names; a file of before a field was added lacks that one.
        lacking = [
            (len(names - set(value)), index)
            for index, option in enumerate(options)
            if dataclasses.is_dataclass(option)
            and set(value) <= (names := {field.name for field in dataclasses.fields(option)})
        ]
        if lacking and value:
            return from_plain(typing.cast(type, options[min(lacking)[1]]), value)
    for option in options:
        if option is not type(None) and not dataclasses.is_dataclass(option):
            try:
                return _value(option, value, name)
            except ConfigError:
                continue
    raise ConfigError(f"{name} fits none of {[getattr(option, '__name__', option) for option in options]}: {value!r}")


def write_atomically(path: Path, data: bytes) -> None:
    """Write `data` so that a reader sees the old file or the whole new one, also after a crash or a full disk."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def versions() -> Plain:
    """What ran: Python, platform and the packages that numbers depend on."""
    found: Plain = {"python": sys.version.split()[0], "platform": platform.platform(), "machine": platform.machine()}
    for package in ("anymask", "torch", "numpy", "opencv-python-headless", "pillow", "safetensors", "faster-coco-eval"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def machine() -> Plain:
    """Where it runs: `processor` by name, `cores` this process may use, and `memory_bytes` where the system tells."""
    # Linux knows cores that are taken away from a process (containers, taskset); elsewhere all count.
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    found: Plain = {"processor": _processor(), "cores": cores}
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        found["memory_bytes"] = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return found


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


class RunFolder:
    """One run on disk.

    Raises: RunError when the folder holds another configuration, or is not a run.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @staticmethod
    def create(path: Path, config: Any) -> RunFolder:
        """Start a run, or return the one already there if its configuration is the same; fields that were added since
        it began have their defaults."""
        run, plain = RunFolder(path), to_plain(config)
        if run.exists():
            try:
                same = from_plain(type(config), run.config()) == config
            except ConfigError:
                same = False
            if not same:
                raise RunError(
                    f"{path} holds a run with another configuration; resume it as it is or name a new folder"
                )
            return run
        path.mkdir(parents=True, exist_ok=True)
        write_atomically(path / "versions.json", json.dumps(versions(), indent=1).encode())
        write_atomically(path / "config.json", json.dumps(plain, indent=1).encode())
        return run

    def hold(self, wait_s: float = 10.0) -> filelock.BaseFileLock:
        """Nobody else writes this run until the lock is released, or this process ends, however it ends.

        `wait_s` is for one that was told to end and does so after its step.

        Raises: RunError when another process still writes it then.
        """
        lock = filelock.FileLock(self.path / "lock", timeout=wait_s)
        try:
            lock.acquire()
        except filelock.Timeout as error:
            raise RunError(
                f"another process trains the run in {self.path}; wait until it ends, or end it, then go on"
            ) from error
        return lock

    def exists(self) -> bool:
        """Whether the folder holds a run."""
        return (self.path / "config.json").is_file()

    def config(self) -> Plain:
        """The resolved configuration as plain values."""
        try:
            plain: Plain = json.loads((self.path / "config.json").read_bytes())
        except (OSError, json.JSONDecodeError) as error:
            raise RunError(
                f"{self.path} is not a run folder (config.json: {error}); give one that train made"
            ) from error
        return plain

    def log(self, step: int, **values: float | int | str) -> None:
        """Append one line to metrics.jsonl."""
        self._append("metrics.jsonl", {"step": step, **values})

    def metrics(self) -> Iterator[Plain]:
        """The lines of metrics.jsonl; a last line cut by a crash is left out."""
        return self._lines("metrics.jsonl")

    def log_start(self, step: int, facts: Plain) -> None:
        """Append one line to starts.jsonl: that the run was begun, or gone on with, after `step`, when, where and how.

        `facts` are added to the time (UTC), `machine()` and `versions()`.
        """
        at = datetime.now(UTC).isoformat(timespec="seconds")
        self._append(
            "starts.jsonl", {"step": step, "at": at, "machine": machine(), "versions": versions(), **to_plain(facts)}
        )

    def starts(self) -> Iterator[Plain]:
        """The lines of starts.jsonl, in order of time; none for a run of before there was one."""
        return self._lines("starts.jsonl")

    def _append(self, name: str, line: Plain) -> None:
        with (self.path / name).open("a") as stream:
            stream.write(json.dumps(line) + "\n")

    def _lines(self, name: str) -> Iterator[Plain]:
        path = self.path / name
        if not path.is_file():
            return
        for line in path.read_text().splitlines():
            try:
                yield json.loads(line)
            except json.JSONDecodeError:
                continue

    def forget_after(self, step: int) -> None:
        """Drop metrics past `step`: what a killed run logged after its last checkpoint is computed again."""
        path = self.path / "metrics.jsonl"
        if path.is_file():
            kept = "".join(json.dumps(line) + "\n" for line in self.metrics() if line["step"] <= step)
            write_atomically(path, kept.encode())

"""`anymask models`: which weights there are by name, and where they lie."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anymask.cli import console
from anymask.cli.options import JSON

if TYPE_CHECKING:
    from anymask.model.registry import WeightsEntry


def models(
    cache_dir: Annotated[
        Path | None, typer.Option(help="Look in this folder instead of the cache folder.", show_default=False)
    ] = None,
    verify: Annotated[bool, typer.Option("--verify", help="Read the files and compare their sha256.")] = False,
    json: JSON = False,
) -> None:
    """List the models that can be named with `--model`: size, licence, and whether the file is on this machine.

    `tiny` is inside the package. The others are fetched when they are first used, into the cache folder
    (the environment variable `ANYMASK_CACHE` names another one).

    **Examples**

    ```
    anymask models
    anymask models --verify
    anymask models --json
    ```
    """
    from anymask.model.registry import registry
    from anymask.model.weights import cache_directory

    folder = cache_directory(cache_dir)
    rows = [describe(entry, folder, verify=verify) for entry in registry()]
    if json:
        console.say_json({"cache_directory": str(folder), "models": rows})
        return
    _print_table(rows)
    console.say(f"cache folder: {folder}")


def describe(entry: WeightsEntry, folder: Path, *, verify: bool) -> dict[str, Any]:
    """One row: what the registry says of `entry`, and the state of its file ("absent" where it is not there)."""
    path = _embedded_folder() / entry.file_name if entry.is_embedded else folder / entry.file_name
    return {
        "name": entry.name,
        "state": _state(entry, path, verify=verify),
        "path": str(path),
        "size_bytes": path.stat().st_size if entry.is_embedded and path.is_file() else entry.size_bytes,
        "sha256": _sha256(entry, path),
        "licence": entry.licence,
        "source": entry.source,
        "url": entry.url,
    }


def _embedded_folder() -> Path:
    from importlib import resources

    return Path(str(resources.files("anymask") / "weights"))


def _sha256(entry: WeightsEntry, path: Path) -> str | None:
    from anymask.model.download import file_sha256

    return file_sha256(path) if entry.is_embedded and path.is_file() else entry.sha256


def _state(entry: WeightsEntry, path: Path, *, verify: bool) -> str:
    """ "in the package", "present", "verified", "damaged", "part of it" or "absent"."""
    from anymask.errors import ChecksumError
    from anymask.model.download import verify as verify_file

    if not path.is_file():
        return "part of it" if path.with_name(f"{path.name}.part").is_file() else "absent"
    if entry.is_embedded:
        return "in the package"
    if not verify:
        return "present" if path.stat().st_size == entry.size_bytes else "damaged"
    try:
        verify_file(entry, path)
    except ChecksumError:
        return "damaged"
    return "verified"


def _print_table(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        size = "" if row["size_bytes"] is None else f"{row['size_bytes'] / 1e6:,.0f} MB"
        console.say(f"{row['name']:<17}{size:>10}  {row['state']:<16}{row['licence']}")
        for name in ("source", "path", "sha256"):
            console.say(f"{'':<8}{name}: {row[name] or 'unknown'}")

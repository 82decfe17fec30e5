"""The rows of the browser tool at their full size: a real Chromium, a real server, the model of the package."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from soak import browser_faults, sizes
from tests.cli.servers import Client, Running

_ROOT = Path(__file__).parents[1]
_CACHE = _ROOT / ".cache" / "soak" / "cache"


def network() -> bool:
    """Row 20."""
    with _served() as (server, me, image, folder):
        seconds = max(10.0, sizes.OFFLINE_S * float(os.environ.get("ANYMASK_SOAK_SHARE", "1")))
        seen = browser_faults.lose_the_network(
            server.url, me, image, folder / "profile", offline_s=seconds, strokes=sizes.OFFLINE_STROKES
        )
    print(seen, flush=True)
    return True


def runtimes() -> bool:
    """Row 21."""
    with _served() as (server, _, image, folder):
        print(browser_faults.decode_where_it_can(server.url, image, folder), flush=True)
    return True


def hovers() -> bool:
    """Row 22."""
    with _served() as (server, _, image, folder):
        decodes = int(sizes.HOVER_DECODES * float(os.environ.get("ANYMASK_SOAK_SHARE", "1")))
        print(browser_faults.flood_with_hovers(server.url, image, folder / "profile", decodes=decodes), flush=True)
    return True


def masks() -> bool:
    """Row 23: also how long it takes."""
    with _served() as (server, me, image, folder):
        times = browser_faults.hold_many_masks(
            server.url, me, image, folder / "profile", masks=sizes.MANY_MASKS, frames=240
        )
    print(f"{sizes.MANY_MASKS} masks: {times}; load average {os.getloadavg()[0]:.1f}", flush=True)
    return (
        times["between_frames_p95_ms"] < sizes.FRAME_P95_MS
        and times["undo_p95_ms"] < sizes.UNDO_P95_MS
        and times["save_p95_ms"] < sizes.SAVE_P95_MS
    )


@contextmanager
def _served() -> Iterator[tuple[Running, Client, dict[str, Any], Path]]:
    """A server on a folder with one photograph, which is embedded."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pictures = folder / "pictures"
        pictures.mkdir()
        shutil.copy(_ROOT / "demo" / "astronaut.jpg", pictures)
        with Running(["annotate", str(pictures), "--no-browser", "--port", "0"], cache=_CACHE, start_s=600) as server:
            me = server.browser()
            (project,) = me.data("GET", "/projects")
            yield server, me, server.wait_for_embedding(me, project["id"], wait_s=600), folder

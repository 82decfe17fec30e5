"""The load to hold: annotators who save masks at a steady pace, how long each save takes, and whether any is lost.

Each annotator has a connection of their own. Saves are begun on a schedule that does not wait for answers, so a server
that falls behind is seen in the times, and not hidden by slower clients.
"""

from __future__ import annotations

import asyncio
import http.cookies
import json
import time
import uuid
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from anymask.masks import rle


@dataclass(slots=True)
class LoadResult:
    """What was seen."""

    times_ms: list[float] = field(default_factory=list)
    acknowledged: set[str] = field(default_factory=set)
    refused: list[str] = field(default_factory=list)

    @property
    def p99_ms(self) -> float:
        return float(np.percentile(self.times_ms, 99)) if self.times_ms else float("nan")

    @property
    def p50_ms(self) -> float:
        return float(np.percentile(self.times_ms, 50)) if self.times_ms else float("nan")


class Connection:
    """One browser's kept-alive connection, as little work as possible, since it shares the machine with the server."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.host, self.port = str(parts.hostname), int(parts.port or 80)
        self.cookie, self.csrf = "", ""
        self.streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        data = b"" if body is None else json.dumps(body).encode()
        head = f"{method} /api/v1{path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\nContent-Length: {len(data)}\r\n"
        head += f"Content-Type: application/json\r\nCookie: {self.cookie}\r\nX-CSRF-Token: {self.csrf}\r\n\r\n"
        try:
            return await self._exchange(head.encode() + data)
        except (OSError, asyncio.IncompleteReadError):
            if self.streams is not None:
                self.streams[1].close()
            self.streams = None
            raise

    async def begin(self) -> Connection:
        """The session of the person who works alone."""
        _, session = await self.call("GET", "/session")
        self.csrf = session["csrf_token"]
        return self

    async def close(self) -> None:
        """Give the connection back."""
        if self.streams is not None:
            self.streams[1].close()
            await self.streams[1].wait_closed()

    async def _exchange(self, data: bytes) -> tuple[int, Any]:
        if self.streams is None:
            self.streams = await asyncio.open_connection(self.host, self.port)
        reader, writer = self.streams
        writer.write(data)
        await writer.drain()
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = [line.split(": ", 1) for line in head[1:] if line]
        length = next((int(value) for name, value in headers if name.lower() == "content-length"), 0)
        for name, value in headers:
            if name.lower() == "set-cookie":
                morsels = http.cookies.SimpleCookie(value)
                self.cookie = "; ".join(f"{each}={morsel.value}" for each, morsel in morsels.items())
        body = await reader.readexactly(length)
        return int(head[0].split()[1]), json.loads(body) if body else None


def new_action(size_hw: tuple[int, int], seed: int = 0) -> dict[str, Any]:
    """A mask of an ordinary outline, as the tool would save it."""
    height, width = size_hw
    y, x = np.ogrid[:height, :width]
    radius = min(size_hw) / 4 + seed % 7
    mask = (x - width / 2) ** 2 + (y - height / 2) ** 2 + 40 * np.sin(x / 5 + seed) < radius**2
    at = "2026-05-01T12:00:00Z"
    made = {"tool": "click", "clicks": 2, "started_at": at, "finished_at": at, "active_ms": 4000}
    made |= {"prompts": [{"points": [{"x": 30, "y": 40}, {"x": 50, "y": 10, "foreground": False}]}]}
    action = {"key": uuid.uuid4().hex, "kind": "create", "mask_id": str(uuid.uuid4()), "at": at}
    return action | {"mask": {"rle": rle.to_json(rle.encode(mask)), "provenance": made}}


async def hold(
    connections: list[Connection], images: list[tuple[int, tuple[int, int]]], writes_a_second: float, seconds: float
) -> LoadResult:
    """Save masks for `seconds`, each connection on a picture of `images`; each is sent again until acknowledged."""
    result = LoadResult()
    jobs: set[asyncio.Task[None]] = set()
    begun, count = time.perf_counter(), int(writes_a_second * seconds)
    busy = [asyncio.Lock() for _ in connections]
    for number in range(count):
        due = begun + number / writes_a_second
        await asyncio.sleep(max(due - time.perf_counter(), 0))
        place = number % len(connections)
        image_id, size_hw = images[place % len(images)]
        action = new_action(size_hw, number)
        job = asyncio.create_task(_save(connections[place], busy[place], image_id, action, due, result))
        jobs.add(job)
        job.add_done_callback(jobs.discard)
    await asyncio.gather(*jobs)
    return result


async def _save(
    connection: Connection, busy: asyncio.Lock, image_id: int, action: dict[str, Any], due: float, result: LoadResult
) -> None:
    until = due + 120
    async with busy:
        while time.perf_counter() < until:
            try:
                status, answer = await connection.call("POST", f"/images/{image_id}/actions", {"actions": [action]})
            except (OSError, asyncio.IncompleteReadError):
                await asyncio.sleep(0.2)
                continue
            if status == 503:
                await asyncio.sleep(0.2)
                continue
            result.times_ms.append((time.perf_counter() - due) * 1000)
            if status == 200:
                result.acknowledged.add(action["mask_id"])
            else:
                result.refused.append(f"{status} {answer}")
            return
        result.refused.append("no answer in two minutes")

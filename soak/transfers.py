"""Thousands of pictures brought in and written out while people work, by workers that are killed at it.

A real server, a real worker, COCO, SA-1B and label maps, and people who save all the while. What was brought in and
written out is compared, picture by picture and mask by mask, with how it was made and with what comes of bringing it
in again.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PIL import Image

from anymask.data_engine.incoming import open_source
from anymask.dataset.formats.coco import CocoPicture, to_coco
from anymask.masks import rle
from anymask.masks.sets import set_from_rles
from soak import sizes
from soak.load import Connection, LoadResult, hold
from tests.cli.servers import Client, Running
from tests.data_engine.world import SIZE_HW
from tests.integration.team import Team

MASKS = 4
"""On each picture."""
SIDES_HW = (48, 64)
LABELS = {1: "cup", 2: "dog", 3: "thing"}
_WAIT_S = 3600.0
_WINDOW_S = 3.0
"""People's saves are begun in spans of this length, until the work beside them is done."""

Contents = dict[str, list[str]]
"""By the hash of a picture's file, its masks' run lengths and labels, sorted."""


@dataclass(slots=True)
class Seen:
    """What a step took, and what the people beside it saw."""

    seconds: float = 0.0
    kills: int = 0
    saves: LoadResult = field(default_factory=LoadResult)
    server_mib: list[float] = field(default_factory=list)
    """The server process, second by second."""
    worker_mib: float = 0.0
    """The most of any worker."""

    @property
    def growth_mib(self) -> float:
        """Of the server, after the first fifth of the step."""
        early = self.server_mib[len(self.server_mib) // 5]
        return max(self.server_mib[len(self.server_mib) // 5 :]) - early

    def describe(self) -> str:
        """In a line."""
        saves = self.saves
        return (
            f"{self.seconds:.0f} s, {self.kills} workers killed; meanwhile {len(saves.acknowledged)} masks saved, "
            f"p50 {saves.p50_ms:.0f} ms, p99 {saves.p99_ms:.0f} ms; server {max(self.server_mib):.0f} MiB, grew by "
            f"{self.growth_mib:.0f}; worker at most {self.worker_mib:.0f} MiB"
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Carrying:
    """A team whose admin brings in and writes out, and whose other people save meanwhile."""

    team: Team
    model: Path
    cache: Path
    folder: Path
    """What is brought in lies below it."""
    pictures: int
    writes_a_second: float
    kills: int
    """Of the worker, in the first import and each export; half as many when it is brought in again."""

    @contextmanager
    def served(self) -> Iterator[Running]:
        """The server with one worker."""
        root = ["--workers", "1", "--import-root", str(self.folder)]
        arguments = self.team.arguments(self.model, *root)
        with Running(arguments, cache=self.cache, ANYMASK_DATABASE=self.team.url) as server:
            yield server

    def bring_in(self, server: Running) -> str:
        """The made pictures and their masks, from a COCO file, into the project in which people work."""
        source = make_source(self.folder / "source", self.pictures)
        seen = self._beside_people(
            server,
            lambda admin: self._import(server, admin, self.team.project_id, "coco", source, kills=self.kills),
        )
        counted = self.team.client(server, 0).data("GET", f"/projects/{self.team.project_id}")["counts"]["images"]
        assert counted == self.pictures + len(self.team.images), counted
        return f"{self.pictures} pictures with {MASKS} masks each brought in: {seen.describe()}"

    def carry(self, server: Running, form: str) -> str:
        """All of it written out in one form, brought into a new project, written out again: the same each time."""
        written = self.write_out(server, form)
        project, brought = self.bring_back(server, form)
        return f"{written} / {brought} / {self.compare(server, form, project)}"

    def write_out(self, server: Running, form: str) -> str:
        """The project in which people work, as one file; what was brought in is in it as it was made."""
        path = self._file(form)
        seen = self._beside_people(
            server, lambda admin: self._export(server, admin, self.team.project_id, form, path, kills=self.kills)
        )
        contents, made = read_contents(form, path), expected(self.pictures, form)
        assert {digest: contents.get(digest) for digest in made} == made, "a picture or mask is not as it was made"
        assert set(contents) > set(made), "the pictures on which people work are missing"
        return f"{form}: {path.stat().st_size / 2**20:.0f} MiB written out, all as it was made: {seen.describe()}"

    def bring_back(self, server: Running, form: str) -> tuple[int, str]:
        """A new project of that file; the one that an ended run began, where there is one, is brought to its end."""
        admin, name = self.team.client(server, 0), f"again from {form}"
        begun = [project for project in admin.data("GET", "/projects") if project["name"] == name]
        made = begun[0] if begun else admin.data("POST", "/projects", {"name": name})
        project, path, kills = int(made["id"]), self._file(form), self.kills // 2
        seen = self._beside_people(server, lambda admin: self._import(server, admin, project, form, path, kills=kills))
        return project, f"{form}: brought in again: {seen.describe()}"

    def compare(self, server: Running, form: str, project: int) -> str:
        """The new project, written out, is the file that it came from."""
        again = self.folder / f"{form}-again.tar"
        self._export(server, self.team.client(server, 0), project, form, again, kills=0)
        assert read_contents(form, again) == read_contents(form, self._file(form)), "it came back otherwise"
        again.unlink()
        return f"{form}: written out again, every picture and mask is the same"

    def _file(self, form: str) -> Path:
        return self.folder / f"{form}.tar"

    def _beside_people(self, server: Running, work: Callable[[Client], Seen]) -> Seen:
        """`work` while people save; none of what they saved is lost."""
        admin, stop, saves = self.team.client(server, 0), threading.Event(), LoadResult()
        people = threading.Thread(target=_save_until, args=(self.team, server.url, self.writes_a_second, stop, saves))
        people.start()
        try:
            seen = work(admin)
        finally:
            stop.set()
            people.join()
        assert saves.refused == []
        found = {
            mask["id"] for image in self.team.images for mask in admin.data("GET", f"/images/{image}/masks")["masks"]
        }
        assert saves.acknowledged
        assert saves.acknowledged <= found, "an acknowledged mask is lost"
        seen.saves = saves
        assert seen.growth_mib < sizes.TRANSFER_GROWTH_MIB, f"the server grew by {seen.growth_mib:.0f} MiB"
        return seen

    def _import(self, server: Running, admin: Client, project: int, form: str, source: Path, *, kills: int) -> Seen:
        given = {"format": form, "path": str(source)}
        job = admin.data("POST", f"/projects/{project}/imports", given)
        seen, job = self._watch(server, admin, job["id"], kills)
        assert job["problems"] == [], job["problems"][:3]
        assert job["done"] == job["total"]
        return seen

    def _export(self, server: Running, admin: Client, project: int, form: str, path: Path, *, kills: int) -> Seen:
        job = admin.data("POST", f"/projects/{project}/exports", {"format": form, "only_finished": False})
        seen, job = self._watch(server, admin, job["id"], kills)
        _download(admin, job["download_url"], path)
        return seen

    def _watch(self, server: Running, admin: Client, job_id: int, kills: int) -> tuple[Seen, dict[str, Any]]:
        """Until the job is done; its worker is killed `kills` times on the way, each time further on."""
        seen, process, begun = Seen(), psutil.Process(server.process.pid), time.monotonic()
        while True:
            job: dict[str, Any] = admin.data("GET", f"/jobs/{job_id}")
            assert job["state"] in ("waiting", "running", "done"), job
            assert time.monotonic() - begun < _WAIT_S, job
            seen.server_mib.append(process.memory_info().rss / 2**20)
            total = job["total"] or self.pictures
            for worker in process.children():
                with suppress(psutil.NoSuchProcess):  # it ended since it was listed
                    seen.worker_mib = max(seen.worker_mib, worker.memory_info().rss / 2**20)
                    if job["state"] == "running" and seen.kills < kills and job["done"] > total * seen.kills / kills:
                        worker.kill()
                        seen.kills += 1
            if job["state"] == "done":
                break
            time.sleep(0.02 if seen.kills < kills else 0.5)
        seen.seconds = time.monotonic() - begun
        assert seen.kills == kills, f"the job was done before its worker was killed {kills} times"
        return seen, job


def _save_until(team: Team, url: str, writes_a_second: float, stop: threading.Event, total: LoadResult) -> None:
    async def run() -> None:
        connections = [Connection(url) for _ in team.images]
        for connection in connections:
            connection.cookie = f"anymask_session={team.tokens[1]}"
            await connection.begin()
        while not stop.is_set():
            result = await hold(connections, [(image, SIZE_HW) for image in team.images], writes_a_second, _WINDOW_S)
            total.times_ms += result.times_ms
            total.acknowledged |= result.acknowledged
            total.refused += result.refused
        await asyncio.gather(*(each.close() for each in connections))

    asyncio.run(run())


def _download(admin: Client, address: str, path: Path) -> None:
    """In two parts, as a browser does that was cut off; nothing of it is held in memory at once by the server."""
    whole = int(admin.call("GET", address, headers={"Range": "bytes=0-0"}).headers["Content-Range"].rpartition("/")[2])
    with path.open("wb") as stream:
        for start, stop in ((0, whole // 2), (whole // 2, whole)):
            answer = admin.call("GET", address, headers={"Range": f"bytes={start}-{stop - 1}"}, timeout_s=600)
            assert answer.status == 206, answer.status
            stream.write(answer.body)
    assert path.stat().st_size == whole


def make_source(folder: Path, pictures: int) -> Path:
    """A COCO file with pictures beside it, the same for the same number; made once."""
    if (folder / "annotations.json").exists():
        return folder
    coco = []
    for index in range(pictures):
        name = f"set_{index % 7}/{index:05d}.jpg"
        file = folder / "images" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(_picture(index))
        masks = set_from_rles([rle.encode(mask) for mask in _masks(index)], SIDES_HW)
        ids = tuple(1 + (index + number) % len(LABELS) for number in range(MASKS))
        coco.append(CocoPicture(image_id=index + 1, file_name=name, masks=masks, category_ids=ids))
    (folder / "annotations.json").write_text(json.dumps(to_coco(coco, LABELS)))
    return folder


def expected(pictures: int, form: str) -> Contents:
    """What was made, as a file of this form says it: only COCO has labels."""
    found = {}
    for index in range(pictures):
        labels = [LABELS[1 + (index + number) % len(LABELS)] if form == "coco" else "" for number in range(MASKS)]
        masks = [rle.encode(mask).counts.decode() for mask in _masks(index)]
        found[_digest(_picture(index))] = sorted(f"{label} {mask}" for label, mask in zip(labels, masks, strict=True))
    return found


def read_contents(form: str, path: Path) -> Contents:
    """What a file says."""
    found: Contents = {}
    for item in open_source(form, path).items:
        assert item.picture is not None
        assert item.masks is not None
        pairs = [
            (label or "", mask.counts.decode())
            for masks, labels in item.masks()
            for mask, label in zip(masks.rles, labels, strict=True)
        ]
        found.setdefault(_digest(item.picture()), []).extend(f"{label} {mask}" for label, mask in pairs)
    return {digest: sorted(masks) for digest, masks in found.items()}


def _picture(index: int) -> bytes:
    """A JPEG of its own."""
    rng = np.random.default_rng(index)
    small = rng.integers(0, 255, (6, 8, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(small).resize(SIDES_HW[::-1], Image.Resampling.BICUBIC).save(file, "JPEG", quality=90)
    return file.getvalue()


def _masks(index: int) -> list[np.ndarray]:
    """Ellipses that overlap."""
    rng, (height, width) = np.random.default_rng(10**6 + index), SIDES_HW
    rows, columns = np.ogrid[:height, :width]
    found = []
    for _ in range(MASKS):
        x, y, a, b = rng.uniform(8, width - 8), rng.uniform(8, height - 8), rng.uniform(4, 20), rng.uniform(4, 20)
        found.append(((columns - x) / a) ** 2 + ((rows - y) / b) ** 2 <= 1)
    return found


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()

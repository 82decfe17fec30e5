"""A tab that stays open while a turn of the engine promotes a model, and while a person goes back to the one before."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.cli.servers import Client, Running
from tests.integration.annotating import masks_of, wait_for_pictures
from tests.integration.chromium import Tool, browsing
from tests.services.processes import environment

pytestmark = pytest.mark.slow

PLATES = ("dataset_stage2_val_1.webp", "dataset_val_iphone_00148.webp")
PLACES = ((0.45, 0.3), (0.6, 0.6), (0.3, 0.7), (0.7, 0.3), (0.5, 0.85), (0.15, 0.5))
CONFIG = {
    # One step makes another model; what it is worth is not asked here.
    "assisted": {"recipe": "finetune_decoder", "steps": 1},
    "held_share": 1e-9,
    "score": {"clicks": 1, "max_pictures": 1},
    "gate": {"least_gain": -1, "guards": []},
    "hardest": {"pictures": 0},
}


@pytest.fixture
def folder(folder: Path, repository: Path) -> Path:
    """Four pictures."""
    for name in PLATES:
        shutil.copy(repository / "demo" / "plates" / "food_plates" / name, folder)
    return folder


class Asking:
    """Somebody else who asks the server without a pause."""

    def __init__(self, client: Client, project_id: int, image: dict[str, Any]) -> None:
        self.answers: list[tuple[str, int]] = []
        prompt = {"points": [{"x": 100.5, "y": 100.5, "foreground": True}], "box": None, "used_mask": False}
        self.asked: tuple[tuple[str, str, Any], ...] = (
            ("GET", "/info", None),
            ("GET", f"/projects/{project_id}/images", None),
            ("GET", image["embedding_url"], None),
            ("POST", f"/images/{image['id']}/decode", {"prompt": prompt, "model": image["model_sha256"]}),
        )
        self.client, self._ending = client, threading.Event()
        self._thread = threading.Thread(target=self._ask)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self._ending.set()
            self._thread.join()

    def _ask(self) -> None:
        while not self._ending.wait(0.05):
            for method, path, body in self.asked:
                try:
                    self.answers.append((path, self.client.call(method, path, body).status))
                except OSError:
                    self.answers.append((path, 0))


class Engine:
    """The engine's commands as processes beside the server."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder = folder
        self.environment = environment(ANYMASK_CACHE=str(cache))

    def start(self, verb: str, *words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "anymask", "engine", verb, str(self.folder), *words]
        return subprocess.Popen(
            command, env=self.environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    def __call__(self, verb: str, *words: str) -> str:
        return finish(self.start(verb, *words))


def finish(process: subprocess.Popen[str]) -> str:
    said, _ = process.communicate()
    assert process.returncode == 0, said
    return said


def add_mask(tool: Tool, place: tuple[float, float], count: int) -> None:
    """A click, and the mask is kept."""
    tool.click(*place)
    expect(tool.page.locator(".candidate")).to_have_count(3)
    tool.press("Enter")
    tool.expect_masks(count)
    tool.wait_saved()


def go_on(tool: Tool, before: str) -> str:
    """The next picture is opened; its name."""
    tool.press("n")
    title = tool.page.locator(".side-title")
    expect(title).not_to_have_text(before)
    tool.expect_masks(0)
    tool.wait_for_model()
    return title.inner_text()


def models_of(client: Client, image: dict[str, Any]) -> list[str]:
    return [mask["provenance"]["model_sha256"] for mask in masks_of(client, image["id"])]


def current(client: Client) -> str:
    return str(client.data("GET", "/info")["model"]["sha256"])


def wait_until_embedded(client: Client, image: dict[str, Any], model: str) -> None:
    until = time.monotonic() + 180
    while (now := client.data("GET", f"/images/{image['id']}"))["model_sha256"] != model:
        assert time.monotonic() < until, now
        time.sleep(0.5)


def test_an_open_tab_goes_over_to_a_promoted_model_and_back_between_pictures(
    server: Running, folder: Path, tiny_cache: Path, tmp_path: Path, repository: Path
) -> None:
    me = server.browser()
    (project,) = me.data("GET", "/projects")
    pictures = {image["file_name"]: image for image in wait_for_pictures(me, 4)}
    first_model = current(me)
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    engine = Engine(tmp_path / "engine", tiny_cache)
    held = str(repository / "demo" / "plates")
    where = ["--project", project["name"], "--workspace", str(folder / ".anymask"), "--benchmark", held]
    engine("init", *where, "--config", str(tmp_path / "config.json"))
    refused: list[str] = []
    with browsing(tmp_path / "profile") as context:
        tool = Tool(context.pages[0], server.url)
        tool.page.on("response", lambda got: refused.append(f"{got.status} {got.url}") if got.status >= 400 else None)
        tool.open("/")
        tool.page.get_by_role("link", name="Annotate", exact=True).first.click()
        tool.wait_for_model()
        tool.page.evaluate("() => { window.neverLoadedAnew = true; }")
        name = tool.page.locator(".side-title").inner_text()
        learned = pictures[name]
        add_mask(tool, PLACES[0], 1)
        name = go_on(tool, name)
        while_promoted = pictures[name]

        # A turn from that mask: trained, scored, promoted, while this tab and somebody else are at work.
        asking = Asking(server.browser(), project["id"], while_promoted)
        count = 0
        with asking.at_work():
            turn = engine.start("turn")
            while turn.poll() is None and count < len(PLACES) - 1:
                add_mask(tool, PLACES[count], count + 1)
                count += 1
                time.sleep(3)
            assert "promoted: click" in finish(turn)
            asked = len(asking.answers)
            second_model = current(me)
            assert second_model != first_model
            # The picture that is open keeps its model.
            add_mask(tool, PLACES[count], count + 1)
            for plate in PLATES:
                wait_until_embedded(me, pictures[plate], second_model)
        assert asked > 20
        assert len(asking.answers) > asked
        assert [answer for answer in asking.answers if answer[1] != 200] == []
        assert models_of(me, while_promoted) == [first_model] * (count + 1)

        name = go_on(tool, name)
        after = me.data("GET", f"/images/{pictures[name]['id']}")
        asking = Asking(server.browser(), project["id"], after)
        add_mask(tool, PLACES[0], 1)
        with asking.at_work():
            assert f"current is {first_model[:12]}" in engine("rollback")
            assert current(me) == first_model
            add_mask(tool, PLACES[1], 2)
        assert len(asking.answers) > 4
        assert [answer for answer in asking.answers if answer[1] != 200] == []
        assert models_of(me, after) == [second_model] * 2

        name = go_on(tool, name)
        back = pictures[name]
        add_mask(tool, PLACES[0], 1)
        assert models_of(me, back) == [first_model]
        assert models_of(me, learned) == [first_model]
        assert tool.page.evaluate("() => window.neverLoadedAnew") is True
        assert (tool.faults, refused) == ([], [])
    kinds = [one["kind"] for one in json.loads(engine("status", "--json"))["deployments"]]
    assert kinds == ["start", "promote", "rollback"]

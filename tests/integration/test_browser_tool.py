"""The annotation tool in a real browser on a real server: one person, alone, from a folder of pictures to an export."""

from __future__ import annotations

import tarfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from playwright.sync_api import expect

from anymask import Predictor
from anymask.masks import rle
from anymask.model.weights import load
from anymask.prompts.types import Prompt
from soak import browser_large
from tests.cli.servers import Running
from tests.integration.annotating import masks_of, wait_for_pictures
from tests.integration.chromium import Tool, browsing

pytestmark = pytest.mark.slow


def test_a_person_annotates_a_folder_and_takes_the_masks_away(server: Running, tmp_path: Path, folder: Path) -> None:
    me = server.browser()
    first, _ = wait_for_pictures(me)
    with browsing(tmp_path / "profile") as context:
        tool = Tool(context.pages[0], server.url)
        tool.open("/")
        tool.page.get_by_role("link", name="Annotate", exact=True).first.click()
        tool.wait_for_model()
        hover_click_and_pick(tool)
        box_and_brush(tool)
        undo_and_redo(tool)
        tool.wait_saved()
        stored = masks_of(me, first["id"])
        assert [mask["provenance"]["tool"] for mask in stored] == ["click", "box", "brush"]
        check_against_library(folder / first["file_name"], stored[:2])
        # The page loaded anew shows what the server has.
        tool.page.reload()
        tool.expect_masks(3)
        tool.wait_for_model()
        # The second picture opens with its embedding already there.
        tool.page.get_by_role("button", name="Done, next").click()
        expect(tool.page.locator(".side-title")).to_have_text("coffee.jpg")
        tool.expect_masks(0)
        tool.wait_for_model()
        take_masks_away(tool, tmp_path, len(stored))
        assert tool.faults == []
    assert me.data("GET", f"/images/{first['id']}")["state"] == "done"


def hover_click_and_pick(tool: Tool) -> None:
    tool.hover(0.95, 0.02)
    before = tool.pixels()
    tool.hover(0.45, 0.3)
    until = time.monotonic() + 60
    while tool.pixels() == before and time.monotonic() < until:
        time.sleep(0.1)
    assert tool.pixels() != before, "hovering showed no mask"
    tool.click(0.45, 0.3)
    candidates = tool.page.locator(".candidate")
    expect(candidates).to_have_count(3)
    tool.press("2")
    expect(candidates.nth(1)).to_have_attribute("aria-pressed", "true")
    tool.press("Enter")
    tool.expect_masks(1)


def box_and_brush(tool: Tool) -> None:
    tool.press("w")
    tool.drag((0.62, 0.1), (0.8, 0.6))
    expect(tool.page.locator(".candidates")).to_contain_text("Score")
    tool.press("Enter")
    tool.expect_masks(2)
    tool.press("Escape", "b")
    tool.drag((0.3, 0.8), (0.4, 0.85))
    tool.expect_masks(3)


def undo_and_redo(tool: Tool) -> None:
    tool.press("Control+z")
    tool.expect_masks(2)
    tool.press("Control+z")
    tool.expect_masks(1)
    tool.press("Control+y", "Control+y")
    tool.expect_masks(3)


def check_against_library(picture: Path, stored: list[dict[str, Any]]) -> None:
    """The masks that the browser made are those that the library makes of the same prompts."""
    predictor = Predictor(load("tiny"))
    predictor.set_image(picture)
    for mask in stored:
        provenance = mask["provenance"]
        assert provenance["decoded_on"] == "browser"
        (given,) = provenance["prompts"]
        points, box = given["points"], given["box"]
        prompt = Prompt(
            points_xy=np.array([[point["x"], point["y"]] for point in points], np.float32) if points else None,
            box_xyxy=np.array([box[name] for name in ("x0", "y0", "x1", "y1")], np.float32) if box else None,
        )
        theirs = predictor.predict(prompt).masks()
        ours = rle.decode(rle.from_json(mask["rle"]))
        overlaps = [float((ours & one).sum() / max(1, (ours | one).sum())) for one in theirs]
        assert max(overlaps) >= 0.99


def take_masks_away(tool: Tool, tmp_path: Path, count: int) -> None:
    tool.page.get_by_role("link", name="Pictures", exact=True).click()
    tool.page.get_by_role("button", name="Export").click()
    with tool.page.expect_download() as waiting:
        tool.page.get_by_role("link", name="Download").click()
    waiting.value.save_as(tmp_path / "export.tar")
    with tarfile.open(tmp_path / "export.tar") as tar:
        names = tar.getnames()
        assert any(name.endswith("astronaut.jpg") for name in names)
        assert not any(name.endswith("coffee.jpg") for name in names)
        (listing,) = [name for name in names if name.endswith(".json")]
        described = tar.extractfile(listing)
        assert described is not None
        assert described.read().count(b'"segmentation"') == count


def test_a_dead_server_and_a_killed_browser_lose_nothing(folder: Path, tiny_cache: Path, tmp_path: Path) -> None:
    arguments = ["annotate", str(folder), "--no-browser", "--port"]
    with Running([*arguments, "0"], cache=tiny_cache) as server:
        first, _ = wait_for_pictures(server.browser())
        port = server.url.rsplit(":", 1)[1].strip("/")
        profile = tmp_path / "profile"
        work_until_killed(server, profile)
    with Running([*arguments, port], cache=tiny_cache) as server:
        me = server.browser()
        assert len(masks_of(me, first["id"])) == 1
        with browsing(profile) as context:
            tool = Tool(context.pages[0], server.url)
            tool.open("/")
            tool.page.get_by_role("link", name="Annotate", exact=True).first.click()
            # The two strokes that only the browser knew, in their order, and the object in progress.
            tool.expect_masks(3)
            tool.wait_saved()
            expect(tool.page.locator(".candidate")).to_have_count(3)
            assert tool.faults == []
        assert [mask["order"] for mask in masks_of(me, first["id"])] == [1, 2, 3]


def work_until_killed(server: Running, profile: Path) -> None:
    """One mask saved; then the server dies, two more are painted and a click is given; then the browser dies."""
    with browsing(profile) as context:
        tool = Tool(context.pages[0], server.url)
        tool.open("/")
        tool.page.get_by_role("link", name="Annotate", exact=True).first.click()
        tool.wait_for_model()
        tool.press("b")
        tool.drag((0.3, 0.2), (0.4, 0.2))
        tool.expect_masks(1)
        tool.wait_saved()
        server.kill()
        for height, count in ((0.5, 2), (0.8, 3)):
            tool.press("Escape")
            tool.drag((0.3, height), (0.4, height))
            tool.expect_masks(count)
        expect(tool.page.locator(".saving")).to_contain_text("kept here")
        tool.press("q")
        tool.click(0.6, 0.6)
        expect(tool.page.locator(".candidate")).to_have_count(3)
        kill_browser(profile)


def kill_browser(profile: Path) -> None:
    """SIGKILL to the browser whose profile this is, and to nothing else."""
    for process in psutil.process_iter(["cmdline"]):
        if f"--user-data-dir={profile}" in (process.info["cmdline"] or []):
            process.kill()


def test_two_versions_of_a_mask_are_shown_and_one_is_chosen(server: Running, tmp_path: Path) -> None:
    me = server.browser()
    first, _ = wait_for_pictures(me)
    with browsing(tmp_path / "profile") as context:
        tool = Tool(context.pages[0], server.url)
        tool.open(f"/projects/{first['project_id']}/annotate/{first['id']}")
        tool.wait_for_model()
        tool.press("b")
        tool.drag((0.3, 0.2), (0.4, 0.2))
        tool.wait_saved()
        (mask,) = masks_of(me, first["id"])
        # Meanwhile somebody else gives the mask a label.
        task = me.data("POST", f"/images/{first['id']}/task", {"kind": "annotate"})
        change = {"key": "from-elsewhere", "kind": "relabel", "mask_id": mask["id"], "base_version": mask["version"]}
        lease = {name: task["lease"][name] for name in ("task_id", "token")}
        batch = {"lease": lease, "actions": [{**change, "label": "theirs", "at": "2026-01-01T00:00:00Z"}]}
        me.data("POST", f"/images/{first['id']}/actions", batch)
        tool.drag((0.4, 0.2), (0.5, 0.3))
        panel = tool.page.get_by_role("alertdialog")
        expect(panel).to_contain_text("Somebody else changed this mask")
        assert masks_of(me, first["id"])[0]["label"] == "theirs"
        panel.get_by_role("button", name="Keep mine").click()
        expect(panel).to_have_count(0)
        tool.wait_saved()
        (kept,) = masks_of(me, first["id"])
        assert kept["area_px"] > mask["area_px"]
        assert kept["version"] == mask["version"] + 2
        assert tool.faults == []


def test_a_picture_of_24_megapixels_is_brushed_and_exported_to_the_pixel(
    tmp_path: Path, tiny_cache: Path, repository: Path
) -> None:
    picture = tmp_path / "pictures" / "large.jpg"
    picture.parent.mkdir()
    browser_large.write_large_picture(repository / "demo" / "astronaut.jpg", picture)
    arguments = ["annotate", str(picture.parent), "--no-browser", "--port", "0"]
    with Running(arguments, cache=tiny_cache) as server:
        me = server.browser()
        (image,) = wait_for_pictures(me, 1)
        browser_large.work_on_a_large_picture(server.url, me, image, picture, tmp_path, frames=20)


def test_all_of_it_works_by_keys_alone(server: Running, tmp_path: Path) -> None:
    me = server.browser()
    first, _ = wait_for_pictures(me)
    with browsing(tmp_path / "profile") as context:
        tool = Tool(context.pages[0], server.url)
        tool.open("/")
        link = tool.page.get_by_role("link", name="Annotate", exact=True)
        expect(link).to_be_visible()
        for _ in range(20):
            tool.press("Tab")
            if tool.page.evaluate("() => document.activeElement.textContent") == "Annotate":
                break
        tool.press("Enter")
        tool.wait_for_model()
        tool.press(*["Shift+ArrowUp"] * 2, *["ArrowLeft"] * 3, "Space")
        candidates = tool.page.locator(".candidate")
        expect(candidates).to_have_count(3)
        tool.press("1")
        expect(candidates.first).to_have_attribute("aria-pressed", "true")
        tool.press("Enter")
        tool.expect_masks(1)
        tool.press("w", "Space", *["Shift+ArrowRight"] * 2, *["Shift+ArrowDown"] * 2, "Space")
        expect(tool.page.locator(".candidates")).to_contain_text("Score")
        tool.press("Enter")
        tool.expect_masks(2)
        tool.press("Escape", "b", "]", "Space")
        tool.expect_masks(3)
        tool.press("l")
        tool.page.keyboard.type("thing")
        tool.press("Enter", "Escape")
        tool.press("Control+z", "Control+z")
        tool.expect_masks(2)
        tool.press("Control+y", "Control+y")
        tool.wait_saved()
        stored = masks_of(me, first["id"])
        assert [(mask["provenance"]["tool"], mask["label"]) for mask in stored] == [
            ("click", None),
            ("box", None),
            ("brush", "thing"),
        ]
        tool.press("n")
        expect(tool.page.locator(".side-title")).to_have_text("coffee.jpg")
        assert tool.faults == []
    assert me.data("GET", f"/images/{first['id']}")["state"] == "done"


def test_axe_finds_no_serious_fault_in_light_and_dark(server: Running, tmp_path: Path, repository: Path) -> None:
    me = server.browser()
    first, _ = wait_for_pictures(me)
    axe = (repository / "web" / "node_modules" / "axe-core" / "axe.min.js").read_text()
    base = f"/projects/{first['project_id']}"
    with browsing(tmp_path / "profile") as context:
        tool = Tool(context.pages[0], server.url)
        tool.open(f"{base}/annotate")
        tool.wait_for_model()
        tool.click(0.5, 0.5)
        expect(tool.page.locator(".candidate")).to_have_count(3)
        assert tool.serious_faults_for_axe(axe) == []
        tool.press("Enter", "?")
        assert tool.serious_faults_for_axe(axe) == []
        tool.press("Escape")
        for theme in ("light", "dark"):
            pages = (
                ("/", "Projects"),
                (base, "Pictures"),
                (f"{base}/statistics", "Statistics"),
                (f"{base}/engine", "Engine"),
                (f"{base}/review", "Nothing left to review"),
                ("/people", "People"),
            )
            for path, mark in pages:
                tool.open(path)
                expect(tool.page.get_by_role("heading", name=mark, exact=True).first).to_be_visible()
                assert tool.serious_faults_for_axe(axe) == [], f"{path} in {theme}"
            tool.page.get_by_role("button", name="Dark colours" if theme == "light" else "Light colours").click()
        assert tool.faults == []

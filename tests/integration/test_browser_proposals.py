"""Prefilled masks in a real browser on a real server: a detector proposes, a person accepts, fixes and drops."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from anymask.data_engine.blobs import Blobs
from anymask.data_engine.semi_automatic import deploy_detector
from anymask.data_engine.store import Database
from anymask.dataset.index import RecordIndex
from anymask.model.object_detector import ObjectDetector
from anymask.model.weights import load, model_hash
from anymask.predict.export import ExportConfig, export_onnx
from anymask.predict.object_boxes import ProposalConfig
from anymask.training.detector import DetectorConfig, DetectorReport, train_detector
from tests.cli.servers import Client, Running
from tests.integration.chromium import Tool, browsing

pytestmark = pytest.mark.slow

PICTURES = ("dataset_stage2_val_1.webp", "dataset_val_iphone_00148.webp")
FEWEST = 4
"""Proposals a picture: one to accept, one to fix, one to drop, one left undecided."""


@pytest.fixture(scope="module")
def tiny_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder with the browser's decoder of the embedded model."""
    cache = tmp_path_factory.mktemp("tiny_cache")
    model = load("tiny")
    (cache / "decoders").mkdir()
    export_onnx(model, cache / "decoders" / f"decoder-{model_hash(model)}.onnx", ExportConfig(part="browser"))
    return cache


@pytest.fixture(scope="module")
def report(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> DetectorReport:
    """A detector of plates and food, trained here in half a minute."""
    records = RecordIndex([repository / "demo" / "plates"])
    config = DetectorConfig(steps=40, pictures=3, flip=False)
    return train_detector(load("tiny"), records, config, tmp_path_factory.mktemp("detector"), held=records)


@pytest.fixture
def folder(tmp_path: Path, repository: Path) -> Path:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for name in PICTURES:
        shutil.copy(repository / "demo" / "plates" / "food_plates" / name, pictures)
    return pictures


@pytest.fixture
def server(folder: Path, tiny_cache: Path) -> Iterator[Running]:
    with Running(["annotate", str(folder), "--no-browser", "--port", "0"], cache=tiny_cache) as running:
        yield running


def masks_of(client: Client, image_id: int, state: str | None = None) -> list[dict[str, Any]]:
    masks: list[dict[str, Any]] = client.data("GET", f"/images/{image_id}/masks")["masks"]
    return [mask for mask in masks if state in (None, mask["state"])]


def enter_the_stage(client: Client, folder: Path, report: DetectorReport) -> list[dict[str, Any]]:
    """The project goes on to the second stage and a detector is deployed; its pictures, once they have proposals."""
    (project,) = client.data("GET", "/projects")
    settings = project["settings"] | {"stage": "semi_automatic"}
    client.data("PATCH", f"/projects/{project['id']}", {"settings": settings})
    home = folder / ".anymask"
    database = Database(f"sqlite:///{home / 'anymask.db'}")
    # Low limits: this test is about what people do with proposals, so there must be enough of them.
    shown = replace(report, confidence=0.1)
    config = ProposalConfig(predicted_iou=0.3, stability=0.3, most=6)
    deploy_detector(database, Blobs(str(home / "store")), ObjectDetector.load(report.path), shown, config)
    database.close()
    until = time.monotonic() + 180
    while time.monotonic() < until:
        images: list[dict[str, Any]] = client.data("GET", f"/projects/{project['id']}/images")["images"]
        counts = [len(masks_of(client, image["id"], "proposed")) for image in images]
        if len(counts) == len(PICTURES) and min(counts) >= FEWEST:
            return images
        time.sleep(0.5)
    raise AssertionError(f"there were not enough proposals in time: {counts}")


def expect_proposed(tool: Tool, count: int) -> None:
    title = tool.page.locator("#proposed-title")
    if count:
        expect(title).to_have_text(f"{count} proposed")
    else:
        expect(title).to_have_count(0)


def test_prefilled_masks_are_accepted_fixed_and_dropped(
    server: Running, folder: Path, report: DetectorReport, tmp_path: Path, repository: Path
) -> None:
    me = server.browser()
    first, second = enter_the_stage(me, folder, report)
    proposed = masks_of(me, first["id"])
    axe = (repository / "web" / "node_modules" / "axe-core" / "axe.min.js").read_text()
    with browsing(tmp_path / "profile") as context:
        tool = Tool(context.pages[0], server.url)
        tool.open("/")
        tool.page.get_by_role("link", name="Annotate", exact=True).first.click()
        tool.wait_for_model()
        # What nobody has accepted is shown apart, and no mask counts.
        expect_proposed(tool, len(proposed))
        tool.expect_masks(0)
        assert tool.serious_faults_for_axe(axe) == []
        kept = accept_fix_and_drop(tool, me, first["id"], proposed)
        undo_and_redo(tool, len(proposed))
        tool.wait_saved()
        assert [mask["id"] for mask in masks_of(me, first["id"], "accepted")] == kept
        # Done with some undecided: the tool asks, and the way back changes nothing.
        tool.press("n")
        dialog = tool.page.get_by_role("dialog")
        expect(dialog).to_contain_text(f"{len(proposed) - 3} proposed")
        assert tool.serious_faults_for_axe(axe) == []
        expect(dialog.get_by_role("button", name="Back to the picture")).to_be_focused()
        tool.press("Enter")
        expect_proposed(tool, len(proposed) - 3)
        tool.press("n")
        dialog.get_by_role("button", name="Drop").click()
        expect(tool.page.locator(".side-title")).to_have_text(second["file_name"])
        assert [mask["id"] for mask in masks_of(me, first["id"], "accepted")] == kept
        assert masks_of(me, first["id"], "proposed") == []
        accept_all(tool, me, second["id"])
        look_at_statistics(tool, len(proposed))
        assert tool.faults == []
    assert me.data("GET", f"/images/{first['id']}")["masks"] == len(kept)


def accept_fix_and_drop(tool: Tool, me: Client, image_id: int, proposed: list[dict[str, Any]]) -> list[str]:
    """The first proposal accepted, the second fixed, the third dropped; the ids of those kept."""
    count = len(proposed)
    tool.press("t", "a")
    tool.expect_masks(1)
    expect_proposed(tool, count - 1)
    # The next one is selected already.
    tool.press("r")
    bar = tool.page.locator(".candidates")
    expect(bar).to_contain_text("Fixing a proposal")
    expect(bar).to_contain_text("Score")
    tool.press("q")
    tool.click(0.45, 0.45)
    expect(bar.get_by_role("button", name="Keep")).to_be_enabled()
    tool.press("Enter")
    tool.expect_masks(2)
    expect_proposed(tool, count - 2)
    tool.press("t", "d")
    expect_proposed(tool, count - 3)
    tool.wait_saved()
    accepted, fixed, dropped = masks_of(me, image_id)[:3]
    assert [mask["id"] for mask in (accepted, fixed, dropped)] == [mask["id"] for mask in proposed[:3]]
    assert [mask["state"] for mask in (accepted, fixed, dropped)] == ["accepted", "accepted", "rejected"]
    assert accepted["rle"] == proposed[0]["rle"]
    assert accepted["first_answer_iou"] == 1.0
    assert fixed["provenance"]["tools"] == ["detector", "click"]
    assert fixed["provenance"]["detector_sha256"] == proposed[1]["provenance"]["detector_sha256"]
    assert fixed["first_answer_iou"] < 1.0
    assert {mask["origin"] for mask in (accepted, fixed, dropped)} == {"model"}
    return [accepted["id"], fixed["id"]]


def undo_and_redo(tool: Tool, count: int) -> None:
    """Back through the drop, the fix with its click and its beginning, and the acceptance; and forth again."""
    for masks, proposals in ((2, count - 2), (1, count - 1), (1, count - 1), (1, count - 1), (0, count)):
        tool.press("Control+z")
        tool.expect_masks(masks)
        expect_proposed(tool, proposals)
    tool.press(*["Control+y"] * 5)
    tool.expect_masks(2)
    expect_proposed(tool, count - 3)


def accept_all(tool: Tool, me: Client, image_id: int) -> None:
    count = len(masks_of(me, image_id, "proposed"))
    expect_proposed(tool, count)
    tool.press("Shift+A")
    dialog = tool.page.get_by_role("dialog")
    expect(dialog).to_contain_text(f"Accept {count} proposed masks?")
    dialog.get_by_role("button", name="Accept them").click()
    tool.expect_masks(count)
    expect_proposed(tool, 0)
    tool.press("Control+z")
    expect_proposed(tool, count)
    tool.press("Control+y")
    tool.wait_saved()
    assert len(masks_of(me, image_id, "accepted")) == count


def look_at_statistics(tool: Tool, dropped_and_kept: int) -> None:
    tool.page.get_by_role("link", name="Statistics", exact=True).click()
    figures = tool.page.locator("section").filter(has_text="Proposed masks")
    expect(figures).to_contain_text("all decided")
    expect(figures).to_contain_text(f"1 fixed, {dropped_and_kept - 2} dropped")

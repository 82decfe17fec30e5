"""Faults in a real browser at work on a real server: the network, the runtime, a flood of hovers, a thousand masks.

Each function runs at the size it is given, asserts what is due, and says in one line what it saw.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from playwright.sync_api import BrowserContext, Route, expect

from anymask.masks import rle
from tests.cli.servers import Client
from tests.data_engine.world import provenance
from tests.integration.chromium import Tool, browsing

Image = dict[str, Any]

NO_SIMD = "--js-flags=--no-enable-sse4-1 --no-enable-ssse3 --no-enable-sse3 --no-enable-avx"
NO_MEMORY = "--js-flags=--wasm-max-mem-pages=64"
SOFTWARE_GRAPHICS = (
    "--enable-unsafe-webgpu",
    "--use-webgpu-adapter=swiftshader",
    "--use-vulkan=swiftshader",
    "--enable-features=Vulkan",
)
"""WebGPU computed by the processor: slow, but all of the code runs."""

WATCH_WORKERS = """() => {
  const seen = { asked: 0, answered: 0, most: 0 };
  window.seenDecodes = seen;
  const Real = window.Worker;
  window.Worker = class extends Real {
    constructor(...given) {
      super(...given);
      this.addEventListener("message", ({ data }) => {
        if (data.response.kind === "decoded") seen.answered += 1;
      });
    }
    postMessage(message, ...rest) {
      if (message.request.kind === "decode") {
        seen.asked += 1;
        seen.most = Math.max(seen.most, seen.asked - seen.answered);
      }
      super.postMessage(message, ...rest);
    }
  };
}"""

HOVER = """async ([decodes, rate]) => {
  const canvas = document.querySelector("canvas.canvas");
  const box = canvas.getBoundingClientRect();
  const until = window.seenDecodes.answered + decodes;
  let events = 0;
  while (window.seenDecodes.answered < until) {
    const x = box.left + box.width * (0.2 + 0.6 * ((events * 7) % 101) / 101);
    const y = box.top + box.height * (0.2 + 0.6 * ((events * 13) % 89) / 89);
    canvas.dispatchEvent(new PointerEvent("pointermove", { clientX: x, clientY: y, pointerId: 1, bubbles: true }));
    events += 1;
    await new Promise((resolve) => setTimeout(resolve, 1000 / rate));
  }
  return events;
}"""

FRAMES = """async (count) => {
  const canvas = document.querySelector("canvas.canvas");
  const box = canvas.getBoundingClientRect();
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
  const drawn = window.anymaskFrameMs;
  drawn.length = 0;
  const between = [];
  let last = await frame();
  for (let i = 0; i < count; i += 1) {
    canvas.dispatchEvent(new WheelEvent("wheel", {
      clientX: box.left + box.width / 2, clientY: box.top + box.height / 2,
      deltaX: 12 * Math.sin(i / 9), deltaY: 25 * Math.sin(i / 17), shiftKey: i % 2 === 0,
      bubbles: true, cancelable: true }));
    const now = await frame();
    between.push(now - last);
    last = now;
  }
  return { drawn: [...drawn], between };
}"""

UNDO = """async (count) => {
  const title = document.querySelector("#masks-title");
  const times = [];
  for (let i = 0; i < count; i += 1) {
    const before = title.textContent;
    const start = performance.now();
    document.body.dispatchEvent(new KeyboardEvent("keydown", {
      key: i % 2 === 0 ? "z" : "y", code: i % 2 === 0 ? "KeyZ" : "KeyY", ctrlKey: true, bubbles: true }));
    while (title.textContent === before) await new Promise((resolve) => setTimeout(resolve, 0));
    times.push(performance.now() - start);
  }
  return times;
}"""


@contextmanager
def at_work(url: str, image: Image, profile: Path, *flags: str) -> Iterator[tuple[Tool, BrowserContext]]:
    """The annotation page with `image` open, nothing asked yet of the model."""
    with browsing(profile, *flags) as context:
        tool = Tool(context.pages[0], url)
        tool.open(f"/projects/{image['project_id']}/annotate/{image['id']}")
        yield tool, context


def lose_the_network(url: str, me: Client, image: Image, profile: Path, *, offline_s: float, strokes: int) -> str:
    """Row 20: strokes while there is no network for `offline_s`, and while the server fails; all arrive, in order."""
    with at_work(url, image, profile) as (tool, context):
        tool.wait_for_model()
        tool.press("b")
        context.set_offline(True)
        begun = time.monotonic()
        paint(tool, 0, strokes)
        expect(tool.page.locator(".saving")).to_contain_text("kept here")
        tool.page.wait_for_timeout(max(0.0, offline_s - (time.monotonic() - begun)) * 1000)
        assert _masks(me, image) == []
        context.set_offline(False)
        tool.wait_saved()

        def fail(route: Route) -> None:
            route.fulfill(status=500, json={"kind": "internal", "message": "the server failed at this"})

        tool.page.route("**/actions", fail)
        paint(tool, strokes, strokes)
        expect(tool.page.locator(".saving")).to_contain_text("kept here")
        assert len(_masks(me, image)) == strokes
        tool.page.unroute("**/actions")
        tool.wait_saved()
        assert tool.faults == [], tool.faults
    stored = _masks(me, image)
    assert [mask["order"] for mask in stored] == list(range(1, 2 * strokes + 1))
    lefts = [_left_px(mask) for mask in sorted(stored, key=lambda mask: int(mask["order"]))]
    assert lefts == sorted(lefts), "they did not arrive in the order in which they were painted"
    return f"{offline_s:.0f} s without a network and a failing server: {len(stored)} strokes, all there, in their order"


def _left_px(mask: dict[str, Any]) -> int:
    return int(rle.decode(rle.from_json(mask["rle"])).any(axis=0).argmax())


def paint(tool: Tool, first: int, count: int) -> None:
    """Strokes from left to right, each a mask of its own."""
    for index in range(first, first + count):
        tool.press("Escape")
        x = 0.2 + 0.05 * index
        tool.drag((x, 0.3), (x, 0.35), steps=3)
        tool.expect_masks(index + 1)


def decode_where_it_can(url: str, image: Image, folder: Path) -> str:
    """Row 21: threads, one thread, no SIMD, no memory: each says what it does, and answers a click."""
    notes = [
        _note(url, image, folder / "threads", cores=4),
        _note(url, image, folder / "one", cores=4, is_isolated=False),
        _note(url, image, folder / "no-simd", NO_SIMD),
        _note(url, image, folder / "no-memory", NO_MEMORY),
    ]
    assert "with 3 threads" in notes[0], notes[0]
    assert "one thread: the page may not share memory" in notes[1], notes[1]
    assert notes[2] == "Decoding on the server: this browser has no WebAssembly with SIMD.", notes[2]
    assert notes[3].startswith("Decoding on the server: "), notes[3]
    assert "SIMD" not in notes[3], notes[3]
    return " / ".join(notes)


def _note(
    url: str, image: Image, profile: Path, *flags: str, cores: int | None = None, is_isolated: bool = True
) -> str:
    """What the status line says once a click is answered."""
    with browsing(profile, *flags) as context:
        page = context.pages[0]
        if cores is not None:
            context.new_cdp_session(page).send(
                "Emulation.setHardwareConcurrencyOverride", {"hardwareConcurrency": cores}
            )
        if not is_isolated:
            page.route("**/*", _without_isolation)
        tool = Tool(page, url)
        tool.open(f"/projects/{image['project_id']}/annotate/{image['id']}")
        tool.wait_for_model()
        tool.click(0.45, 0.3)
        expect(page.locator(".candidate")).to_have_count(3)
        assert tool.faults == [], tool.faults
        return tool.means()


def _without_isolation(route: Route) -> None:
    answer = route.fetch()
    kept = {name: value for name, value in answer.headers.items() if not name.startswith("cross-origin-")}
    route.fulfill(response=answer, headers=kept)


def decode_on_graphics(url: str, image: Image, profile: Path) -> tuple[str, list[str]]:
    """WebGPU where it is asked for; what the status line says, and the masks of one click as their places say them."""
    with at_work(url, image, profile, *SOFTWARE_GRAPHICS) as (tool, _):
        tool.wait_for_model()
        seen = []
        for choice in ("processor", "graphics"):
            tool.page.get_by_label("Decode with").select_option(choice)
            expect(tool.page.locator(".status")).to_contain_text("graphics" if choice == "graphics" else "thread")
            tool.press("q")
            tool.click(0.45, 0.3)
            expect(tool.page.locator(".candidate")).to_have_count(3)
            seen.append(tool.page.locator(".candidates").inner_text())
            note = tool.means()
            tool.press("Escape")
        assert tool.faults == [], tool.faults
        return note, seen


def flood_with_hovers(url: str, image: Image, profile: Path, *, decodes: int, rate: int = 66) -> str:
    """Row 22: more hovers than can be answered; never more than one on its way, memory flat after the first tenth."""
    with browsing(profile) as context:
        context.add_init_script(f"({WATCH_WORKERS})()")
        tool = Tool(context.pages[0], url)
        tool.open(f"/projects/{image['project_id']}/annotate/{image['id']}")
        tool.wait_for_model()
        tenth = max(1, decodes // 10)
        events = int(tool.page.evaluate(HOVER, [tenth, rate]))
        before = _memory_mib(profile)
        for _ in range(9):
            events += int(tool.page.evaluate(HOVER, [tenth, rate]))
        grown = _memory_mib(profile) - before
        seen = tool.page.evaluate("() => window.seenDecodes")
        assert seen["most"] <= 1, seen
        assert seen["asked"] <= events, (seen, events)
        assert grown < 64, f"memory grew by {grown:.0f} MiB"
        assert tool.faults == [], tool.faults
    return f"{events} hovers, {seen['answered']} answered, at most {seen['most']} on its way, grew {grown:.0f} MiB"


def _memory_mib(profile: Path) -> float:
    """Of all processes of the browser, what is theirs alone."""
    total = 0.0
    for process in psutil.process_iter(["cmdline"]):
        if f"--user-data-dir={profile}" in (process.info["cmdline"] or []):
            for each in (process, *process.children(recursive=True)):
                total += each.memory_full_info().uss / 2**20
            break
    return total


def hold_many_masks(url: str, me: Client, image: Image, profile: Path, *, masks: int, frames: int) -> dict[str, float]:
    """Row 23: the 95th percentiles in milliseconds of a frame while the view moves, of an undo, and of a save."""
    add_masks(me, image, masks)
    with at_work(url, image, profile) as (tool, _):
        tool.wait_for_model()
        tool.expect_masks(masks)
        moving = tool.page.evaluate(FRAMES, frames)
        saves = []
        tool.press("b")
        for index in range(5):
            tool.press("Escape")
            tool.drag((0.2 + 0.1 * index, 0.2), (0.2 + 0.1 * index, 0.25), steps=2)
            begun = time.monotonic()
            tool.wait_saved()
            saves.append(1000 * (time.monotonic() - begun))
        tool.expect_masks(masks + 5)
        undone = tool.page.evaluate(UNDO, 20)
        tool.wait_saved()
        assert tool.faults == [], tool.faults
    assert len(_masks(me, image)) == masks + 5
    times = {"frame": moving["drawn"], "between_frames": moving["between"], "undo": undone, "save": saves}
    return {f"{name}_p95_ms": round(float(np.percentile(each, 95)), 1) for name, each in times.items()}


def add_masks(me: Client, image: Image, count: int) -> None:
    """Discs all over the picture, by the server's interface."""
    rng = np.random.default_rng(0)
    height, width = image["height"], image["width"]
    rows, columns = np.ogrid[:height, :width]
    actions = []
    for _ in range(count):
        x, y, radius = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(5, 30)
        mask = (columns - x) ** 2 + (rows - y) ** 2 <= radius**2
        if not mask.any():
            mask[int(y), int(x)] = True
        made = {"rle": rle.to_json(rle.encode(mask)), "provenance": provenance()}
        actions.append(
            {"key": uuid.uuid4().hex, "kind": "create", "mask_id": str(uuid.uuid4()), "mask": made}
            | {"at": "2026-01-01T00:00:00Z"}
        )
    task = me.data("POST", f"/images/{image['id']}/task", {"kind": "annotate"})
    lease = {name: task["lease"][name] for name in ("task_id", "token")}
    for start in range(0, count, 250):
        me.data("POST", f"/images/{image['id']}/actions", {"lease": lease, "actions": actions[start : start + 250]})


def _masks(me: Client, image: Image) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = me.data("GET", f"/images/{image['id']}/masks")["masks"]
    return found

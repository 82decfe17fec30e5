"""The annotation tool in Chromium: click to mask, and frames with 1,000 masks.  python benchmarks/browser.py

Needs Chromium (`make chromium`) and the built tool (`make web`). Everything is real: server, browser, model. A click is
timed in the page, from the event to the candidates shown; frames while the view moves and zooms.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
import uuid
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from anymask.masks import rle
from benchmarks.harness import RESULTS, machine
from tests.cli.servers import Client, Running
from tests.data_engine.world import provenance
from tests.integration.chromium import Tool, browsing

ROOT = Path(__file__).parents[1]
CLICKS = 60
WARM_UP = 10
MASKS = 1000

TIME_CLICKS = """async (count) => {
  const canvas = document.querySelector("canvas.canvas");
  const box = canvas.getBoundingClientRect();
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
  const send = (type, x, y) => canvas.dispatchEvent(new PointerEvent(type, {
    clientX: x, clientY: y, pointerId: 1, button: 0, buttons: type === "pointerdown" ? 1 : 0, bubbles: true }));
  canvas.setPointerCapture = () => undefined;
  const times = [];
  for (let i = 0; i < count; i += 1) {
    const x = box.left + box.width * (0.35 + 0.3 * ((i * 7) % 10) / 10);
    const y = box.top + box.height * (0.3 + 0.4 * ((i * 3) % 10) / 10);
    const start = performance.now();
    send("pointerdown", x, y);
    send("pointerup", x, y);
    while (document.querySelector(".candidate") === null) await frame();
    times.push(performance.now() - start);
    canvas.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }));
    while (document.querySelector(".candidate") !== null) await frame();
  }
  return times;
}"""

TIME_FRAMES = """async (count) => {
  const canvas = document.querySelector("canvas.canvas");
  const box = canvas.getBoundingClientRect();
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
  const frames = window.anymaskFrameMs;
  frames.length = 0;
  for (let i = 0; i < count; i += 1) {
    canvas.dispatchEvent(new WheelEvent("wheel", {
      clientX: box.left + box.width / 2, clientY: box.top + box.height / 2,
      deltaX: 12 * Math.sin(i / 9), deltaY: 25 * Math.sin(i / 17), shiftKey: i % 2 === 0,
      bubbles: true, cancelable: true }));
    await frame();
  }
  return [...frames];
}"""


def main() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pictures = folder / "pictures"
        pictures.mkdir()
        shutil.copy(ROOT / "demo" / "astronaut.jpg", pictures)
        cache = Path(os.environ.get("ANYMASK_CACHE", folder / "cache"))
        with Running(["annotate", str(pictures), "--no-browser", "--port", "0"], cache=cache, start_s=600) as server:
            result = measure(server, folder / "profile")
    target = RESULTS / re.sub(r"[^a-z0-9]+", "-", machine().lower()).strip("-")
    target.mkdir(parents=True, exist_ok=True)
    (target / "browser.json").write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))
    return result


def measure(server: Running, profile: Path) -> dict[str, Any]:
    me = server.browser()
    (project,) = me.data("GET", "/projects")
    image = server.wait_for_embedding(me, project["id"], wait_s=600)
    address = f"/projects/{project['id']}/annotate/{image['id']}"
    with browsing(profile) as context:
        tool = Tool(context.pages[0], server.url)
        tool.open(address)
        tool.wait_for_model()
        note = tool.page.locator(".status").inner_text().splitlines()[1]
        clicks = tool.page.evaluate(TIME_CLICKS, CLICKS + WARM_UP)[WARM_UP:]
        add_masks(me, image)
        tool.page.reload()
        tool.wait_for_model()
        tool.expect_masks(MASKS)
        frames = tool.page.evaluate(TIME_FRAMES, 240)
        version = context.browser.version if context.browser else "Chromium"
    result: dict[str, Any] = {"name": "browser", "machine": machine(), "browser": version, "decoding": note}
    result |= {
        "load_average": round(os.getloadavg()[0], 1),
        "clicks": len(clicks),
        "masks": MASKS,
        "frames": len(frames),
    }
    for what, times in (("click_to_mask", clicks), ("frame", frames)):
        for share in (50, 95):
            result[f"{what}_p{share}_ms"] = round(float(np.percentile(times, share)), 1)
    return result


def add_masks(me: Client, image: dict[str, Any]) -> None:
    """Discs all over the picture, by the server's interface."""
    rng = np.random.default_rng(0)
    height, width = image["height"], image["width"]
    rows, columns = np.ogrid[:height, :width]
    actions = []
    for _ in range(MASKS):
        x, y, radius = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(5, 30)
        mask = (columns - x) ** 2 + (rows - y) ** 2 <= radius**2
        made = {"rle": rle.to_json(rle.encode(mask)), "provenance": provenance()}
        actions.append(
            {"key": uuid.uuid4().hex, "kind": "create", "mask_id": str(uuid.uuid4()), "mask": made}
            | {"at": "2026-01-01T00:00:00Z"}
        )
    task = me.data("POST", f"/images/{image['id']}/task", {"kind": "annotate"})
    lease = {name: task["lease"][name] for name in ("task_id", "token")}
    for start in range(0, MASKS, 250):
        me.data("POST", f"/images/{image['id']}/actions", {"lease": lease, "actions": actions[start : start + 250]})


if __name__ == "__main__":
    main()

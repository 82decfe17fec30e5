"""A folder of two pictures that `anymask annotate` serves, and what the server knows of it."""

from __future__ import annotations

import time
from typing import Any

from tests.cli.servers import Client

PICTURES = ("astronaut.jpg", "coffee.jpg")


def wait_for_pictures(client: Client, count: int = len(PICTURES)) -> list[dict[str, Any]]:
    (project,) = client.data("GET", "/projects")
    until = time.monotonic() + 180
    while time.monotonic() < until:
        images: list[dict[str, Any]] = client.data("GET", f"/projects/{project['id']}/images")["images"]
        if len(images) == count and all(image["embedding"] == "ready" for image in images):
            return images
        time.sleep(0.5)
    raise AssertionError(f"the pictures were not embedded in time: {images}")


def masks_of(client: Client, image_id: int) -> list[dict[str, Any]]:
    masks: list[dict[str, Any]] = client.data("GET", f"/images/{image_id}/masks")["masks"]
    return masks

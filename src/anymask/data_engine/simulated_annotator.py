"""A person who annotates, simulated: the real server's interface on one side, known true masks on the other.

Objects are clicked, the largest first, by the same clicks that train and test (`prompts/simulate.py`); what the model
does not get right in a few clicks is brushed. Proposals are accepted, fixed or dropped first. Everything is saved as
the browser saves it, with provenance, one action at a time.
"""

from __future__ import annotations

import time
import uuid
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from anymask.data_engine.annotator_client import AnnotationClient
from anymask.data_engine.annotator_habits import HabitsConfig, Hand
from anymask.errors import DatasetError, LeaseLostError, StoreError, TakenError
from anymask.masks import rle
from anymask.masks.overlap import mask_iou, rle_iou_matrix
from anymask.prompts.simulate import error_click, random_box, random_point
from anymask.prompts.types import FOREGROUND

Mask = npt.NDArray[np.bool_]
Truth = Callable[[str], Sequence[Mask] | None]
"""The (H, W) true masks of the picture of a file name; None for a picture that nobody knows."""

_LEAST_GAIN = 0.01
"""A click that raises the IoU by less was in vain."""
_NO_TRUTH = "the simulated annotator does not know this picture"


@dataclass(frozen=True, slots=True)
class MaskNote:
    """What one mask took."""

    what: str
    """clicked, brushed, accepted, fixed or dropped."""
    seconds: float
    """Of a person, by the habits."""
    clicks: int
    iou: float
    """Of what was saved with the true mask; of a dropped proposal with the nearest."""


@dataclass(frozen=True, slots=True)
class PictureNote:
    """What became of one picture."""

    file_name: str
    masks: list[MaskNote] = field(default_factory=list)
    skipped: bool = False


@dataclass(slots=True)
class _Work:
    """One picture in work."""

    image: dict[str, Any]
    lease: dict[str, int]
    hand: Hand
    notes: list[MaskNote] = field(default_factory=list)

    @property
    def size_hw(self) -> tuple[int, int]:
        return self.image["height"], self.image["width"]


@dataclass(frozen=True, slots=True, eq=False)
class _Made:
    """A mask of one object with how it was made, as the wire takes it."""

    mask: Mask
    sent: dict[str, Any]
    what: str
    clicks: int


class SimulatedAnnotator:
    """Works on one project of one server, as one signed-in person."""

    def __init__(
        self, client: AnnotationClient, project_id: int, truth: Truth, habits: HabitsConfig | None = None
    ) -> None:
        self.client, self.project_id, self.truth = client, project_id, truth
        self.habits = habits or HabitsConfig()

    def annotate_next(self) -> PictureNote | None:
        """The next picture of the queue from its lease to its end; None when nothing is left.

        A picture that somebody else took over meanwhile is left as it is.

        Raises: StoreError when the server stays away, DatasetError when the true masks are of another size.
        """
        task = self.client.post(f"/projects/{self.project_id}/queue/next", {"kind": "annotate", "resume": True})
        if task is None:
            return None
        image, lease = task["image"], {name: task["lease"][name] for name in ("task_id", "token")}
        name = image["file_name"]
        masks = self.truth(name)
        if masks is None:
            self.client.post(f"/tasks/{lease['task_id']}/skip", {"token": lease["token"], "reason": _NO_TRUTH})
            return PictureNote(name, skipped=True)
        rng = np.random.default_rng([self.habits.seed, zlib.crc32(name.encode())])
        work = _Work(image, lease, Hand(self.habits, rng))
        try:
            self._annotate(work, self._seen(work, masks))
            self.client.post(f"/tasks/{work.lease['task_id']}/finish", {"token": work.lease["token"]})
        except (LeaseLostError, TakenError):
            return PictureNote(name, work.notes, skipped=True)
        return PictureNote(name, work.notes)

    def _seen(self, work: _Work, masks: Sequence[Mask]) -> list[Mask]:
        """The objects that this person sees on the picture, the most prominent first."""
        if any(mask.shape != work.size_hw for mask in masks):
            raise DatasetError(
                f"the true masks of {work.image['file_name']} are of {masks[0].shape} (height, width), the picture is "
                f"{work.size_hw}; give the label maps of these pictures"
            )
        large = sorted((mask for mask in masks if mask.sum() >= self.habits.min_area_px), key=lambda m: -int(m.sum()))
        return [mask for mask in large if not work.hand.slips(self.habits.miss_probability)][: self.habits.most_masks]

    def _annotate(self, work: _Work, targets: list[Mask]) -> None:
        there = self.client.get(f"/images/{work.image['id']}/masks")["masks"]
        left = dict(enumerate(targets))
        for mask in sorted(there, key=lambda each: -int(each["area_px"])):
            known = rle.from_json(mask["rle"])
            names, rles = list(left), [rle.encode(target) for target in left.values()]
            ious = rle_iou_matrix([known], rles)[0] if rles else np.zeros(0)
            best = names[int(np.argmax(ious))] if names else None
            iou = float(ious.max()) if names else 0.0
            if mask["state"] == "proposed":
                best = self._decide(work, mask, None if best is None else left[best], iou, best)
            elif iou < self.habits.fix_from_iou:
                best = None
            if best is not None:
                del left[best]
        for target in left.values():
            work.hand.spend(self.habits.find_s)
            self._save_new(work, target, self._segment(work, target))

    def _decide(
        self, work: _Work, proposal: dict[str, Any], target: Mask | None, iou: float, name: int | None
    ) -> int | None:
        """Accept, fix or drop a proposal; the name of the target that is done by it."""
        work.hand.spend(self.habits.decide_s)
        good = iou >= self.habits.good_enough_iou
        if good or (iou < self.habits.fix_from_iou and work.hand.slips(self.habits.wrong_accept_probability)):
            self._act(work, "accept", proposal)
            self._note(work, "accepted", 0, iou)
            return name if good else None
        if target is None or iou < self.habits.fix_from_iou:
            self._act(work, "reject", proposal)
            self._note(work, "dropped", 0, iou)
            return None
        self._fix(work, proposal, target)
        return name

    def _fix(self, work: _Work, proposal: dict[str, Any], target: Mask) -> None:
        """What is wrong with the proposal is brushed."""
        mask = work.hand.brush(target, rle.decode(rle.from_json(proposal["rle"])))
        before = proposal["provenance"]
        made = {**before, "tool": "brush", "tools": [*before.get("tools", []), "brush"]}
        sent = {"rle": rle.to_json(rle.encode(mask)), "provenance": made, "first_answer": None}
        self._act(work, "replace", proposal, sent)
        self._note(work, "fixed", 0, float(mask_iou(mask, target)[0, 0]))

    def _save_new(self, work: _Work, target: Mask, made: _Made) -> None:
        self._act(work, "create", {"id": str(uuid.uuid4()), "version": None}, made.sent)
        self._note(work, made.what, made.clicks, float(mask_iou(made.mask, target)[0, 0]))

    def _segment(self, work: _Work, target: Mask) -> _Made:
        """Clicks until the answer is good enough; else the brush."""
        habits, hand = self.habits, work.hand
        points: list[dict[str, Any]] = []
        box: dict[str, float] | None = None
        prompts: list[dict[str, Any]] = []
        answer: _Answer | None = None
        first: dict[str, Any] | None = None
        best, vain = 0.0, 0
        while len(prompts) < habits.most_clicks and vain < habits.vain_clicks:
            if answer is None and hand.slips(habits.clicks.box_probability):
                corners = [float(edge) for edge in random_box(target, habits.clicks, hand.rng)]
                box = dict(zip(("x0", "y0", "x1", "y1"), corners, strict=True))
            else:
                points.append(_click(hand, None if answer is None else answer.mask, target))
            hand.spend(habits.click_s)
            prompts.append({"points": list(points), "box": box, "used_mask": answer is not None})
            answer = self._ask(work, prompts[-1], answer, target)
            first = first or answer.first
            best, vain = (answer.iou, 0) if answer.iou > best + _LEAST_GAIN else (best, vain + 1)
            if answer.iou >= habits.good_enough_iou:
                break
        assert answer is not None
        made = {"prompts": prompts, "clicks": len(points) + (box is not None)} | answer.told
        tools = ["click" if box is None else "box"]
        mask, what = answer.mask, "clicked"
        if answer.iou < habits.good_enough_iou:
            mask, what, tools = hand.brush(target, answer.mask), "brushed", [*tools, "brush"]
        made |= {"tool": tools[-1], "tools": tools}
        return _Made(
            mask,
            {"rle": rle.to_json(rle.encode(mask)), "provenance": made, "first_answer": first},
            what,
            len(points) + (box is not None),
        )

    def _ask(self, work: _Work, prompt: Mapping[str, Any], before: _Answer | None, target: Mask) -> _Answer:
        body = {"prompt": prompt, "model": work.image["model_sha256"]}
        if before is not None:
            body["mask_logits"] = before.logits
        answer = self._decode(work, body)
        masks = [rle.decode(rle.from_json(each["rle"])) for each in answer["masks"]]
        ious = [float(mask_iou(mask, target)[0, 0]) for mask in masks]
        chosen = int(np.argmax(ious))
        if chosen != answer["best"]:
            work.hand.spend(self.habits.choose_s)
        candidates = [
            {"predicted_iou": each["predicted_iou"], "chosen": place == chosen}
            for place, each in enumerate(answer["masks"])
        ]
        kept = answer["masks"][chosen]
        told = {
            "model_sha256": answer["model_sha256"],
            "candidates": candidates,
            "predicted_iou": kept["predicted_iou"],
            "stability": kept["stability"],
            "decoded_on": "server",
        }
        return _Answer(masks[chosen], ious[chosen], kept["logits"], told, answer["masks"][answer["best"]]["rle"])

    def _decode(self, work: _Work, body: dict[str, Any]) -> Any:
        try:
            return self.client.post(f"/images/{work.image['id']}/decode", body)
        except StoreError:
            # The model of the picture's embedding may be gone: take what the server has now, without old logits.
            work.image = self.client.get(f"/images/{work.image['id']}")
            fresh = {"prompt": dict(body["prompt"], used_mask=False), "model": work.image["model_sha256"]}
            return self.client.post(f"/images/{work.image['id']}/decode", fresh)

    def _act(self, work: _Work, kind: str, mask: Mapping[str, Any], sent: dict[str, Any] | None = None) -> None:
        """Save one action, as often as needed; a lease that was lost is taken again when nobody else has it."""
        seconds = work.hand.seconds
        if self.habits.sleep_share:
            time.sleep(seconds * self.habits.sleep_share)
        now = datetime.now(UTC)
        if sent is not None:
            times = {
                "started_at": (now - timedelta(seconds=seconds)).isoformat(),
                "finished_at": now.isoformat(),
                "active_ms": round(1000 * seconds),
            }
            sent = sent | {"provenance": sent["provenance"] | times}
        action = {
            "key": uuid.uuid4().hex,
            "kind": kind,
            "mask_id": mask["id"],
            "base_version": mask["version"],
            "mask": sent,
            "at": now.isoformat(),
        }
        path = f"/images/{work.image['id']}/actions"
        try:
            self.client.post(path, {"lease": work.lease, "actions": [action]})
        except LeaseLostError:
            task = self.client.post(f"/images/{work.image['id']}/task", {"kind": "annotate"})
            work.lease = {name: task["lease"][name] for name in ("task_id", "token")}
            self.client.post(path, {"lease": work.lease, "actions": [action]})

    def _note(self, work: _Work, what: str, clicks: int, iou: float) -> None:
        work.notes.append(MaskNote(what, work.hand.seconds, clicks, iou))
        work.hand.seconds = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class _Answer:
    """The model's answer to the clicks so far, and which of its masks the person chose."""

    mask: Mask
    iou: float
    logits: str
    told: dict[str, Any]
    first: dict[str, Any]
    """Run lengths of the mask that the tool shows at first."""


def _click(hand: Hand, predicted: Mask | None, target: Mask) -> dict[str, Any]:
    """One click, in the object or where the answer is wrong."""
    found = None if predicted is None else error_click(predicted, target, hand.habits.clicks, hand.rng)
    xy, label = (random_point(target, hand.habits.clicks, hand.rng), FOREGROUND) if found is None else found
    x, y = hand.aim(xy, (target.shape[0], target.shape[1]))
    return {"x": x, "y": y, "foreground": label == FOREGROUND}

"""Pictures through their stages: read and decode, model, trace and suppress, encode for the shard.

With overlap the stages of different pictures run at once in threads of one process: while the model is at one picture,
the next is being decoded and the one before it traced and encoded. Each picture's own work is the same either way, and
results come in the order of the pictures.
"""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from itertools import islice
from threading import Lock

from anymask.data_engine.generation.config import GenerateConfig
from anymask.data_engine.generation.manifest import Item
from anymask.data_engine.generation.places import Sources
from anymask.dataset.labelled_picture import LabelledPicture
from anymask.dataset.pictures import as_jpeg
from anymask.dataset.provenance import made_alike
from anymask.dataset.write import picture_members
from anymask.errors import AnymaskError, ImageError
from anymask.images.limits import ImageLimits
from anymask.images.load import LoadedImage, load_image
from anymask.predict.automatic import start_everything
from anymask.predict.pending import PendingMasks
from anymask.predict.predictor import Predictor

_AHEAD = 2
"""Pictures that are decoded before the model asks for them, and that may wait after it: bounds memory."""
STAGES = ("read", "decode", "model", "post-process", "encode", "model waits")


@dataclass(frozen=True, slots=True, eq=False)
class Done:
    """One picture at the end of the pipeline."""

    item: Item
    members: tuple[tuple[str, bytes], ...] = ()
    """What goes into the shard; nothing when it is set aside."""
    masks: int = 0
    rejects: dict[str, int] = field(default_factory=dict)
    """Answers of the model that each filter took."""
    problem: str = ""
    """Why it is set aside; empty for most."""


class Clock:
    """Seconds spent in each stage, added up over threads."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(STAGES, 0.0)
        self._lock = Lock()

    @contextmanager
    def time(self, stage: str) -> Iterator[None]:
        """Add the block's time to `stage`."""
        start = time.perf_counter()
        try:
            yield
        finally:
            with self._lock:
                self.seconds[stage] += time.perf_counter() - start


@dataclass(frozen=True, slots=True, eq=False)
class _Ready:
    item: Item
    data: bytes = b""
    loaded: LoadedImage | None = None
    problem: str = ""


class Pipeline:
    """One worker's stages."""

    def __init__(self, predictor: Predictor, config: GenerateConfig, sources: Sources) -> None:
        self.predictor, self.config, self.sources = predictor, config, sources
        self.clock = Clock()
        self._automatic = config.automatic()
        self._limits = ImageLimits(max_pixels=config.max_pixels)
        self._provenance = config.provenance()

    def run(
        self, items: Sequence[Item], *, overlap: bool = True, begin: Callable[[Item], None] | None = None
    ) -> Iterator[Done]:
        """Each of `items` in order. Without `overlap` one ends before the next is begun, and `begin` is told.

        What is wrong with a picture is its `problem`; what is wrong with this machine (disk, memory, GPU) is raised.
        """
        if not overlap:
            for item in items:
                if begin is not None:
                    begin(item)
                yield self._finish(*self._start(self._read(item), None))
            return
        with ExitStack() as stack:
            readers, tracers, encoders = (stack.enter_context(ThreadPoolExecutor(1)) for _ in range(3))
            stack.callback(_drop_all, (readers, tracers, encoders))
            yield from self._overlapped(items, readers, tracers, encoders)

    def _overlapped(
        self, items: Sequence[Item], readers: Executor, tracers: Executor, encoders: Executor
    ) -> Iterator[Done]:
        waiting = iter(items)
        coming = deque(readers.submit(self._read, item) for item in islice(waiting, _AHEAD))
        going: deque[Future[Done]] = deque()
        while coming:
            with self.clock.time("model waits"):
                ready = coming.popleft().result()
            following = next(waiting, None)
            if following is not None:
                coming.append(readers.submit(self._read, following))
            going.append(encoders.submit(self._finish, *self._start(ready, tracers)))
            if len(going) > _AHEAD:
                with self.clock.time("model waits"):
                    done = going.popleft().result()
                yield done
        while going:
            yield going.popleft().result()

    def _read(self, item: Item) -> _Ready:
        if item.problem:
            return _Ready(item, problem=item.problem)
        try:
            with self.clock.time("read"):
                data = self.sources.read(item.place)
                if hashlib.sha256(data).hexdigest() != item.sha256:
                    raise ImageError("it was changed after the run began; begin again in a new folder to have it")
            with self.clock.time("decode"):
                return _Ready(item, data, load_image(data, self._limits))
        except AnymaskError as error:
            return _Ready(item, problem=str(error))

    def _start(self, ready: _Ready, tracers: Executor | None) -> tuple[_Ready, PendingMasks | None]:
        if ready.loaded is None:
            return ready, None
        with self.clock.time("model"):
            return ready, start_everything(self.predictor, ready.loaded, self._automatic, tracers=tracers)

    def _finish(self, ready: _Ready, pending: PendingMasks | None) -> Done:
        item = ready.item
        if pending is None or ready.loaded is None:
            return Done(item, problem=ready.problem)
        with self.clock.time("post-process"):
            masks = pending.masks()
        with self.clock.time("encode"):
            notes = made_alike(
                self._provenance,
                len(masks),
                licence=self.config.licence,
                source=item.place.name,
                source_sha256=item.sha256,
            )
            picture = LabelledPicture(name=item.place.name, masks=masks, notes=notes)
            members = picture_members(picture, item.number, as_jpeg(ready.data, ready.loaded.pixels))
        return Done(item, members, len(masks), asdict(pending.rejects))


def _drop_all(executors: tuple[Executor, ...]) -> None:
    """When somebody stopped listening or a stage failed, what was not begun is not begun any more."""
    for executor in executors:
        executor.shutdown(wait=False, cancel_futures=True)

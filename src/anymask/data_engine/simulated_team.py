"""Several simulated annotators on one server at once, and the label maps that they know the objects from."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt

from anymask.data_engine.annotator_client import AnnotationClient, Credentials
from anymask.data_engine.annotator_habits import HabitsConfig
from anymask.data_engine.simulated_annotator import PictureNote, SimulatedAnnotator
from anymask.dataset.index import RecordIndex
from anymask.errors import ConfigError


@dataclass(frozen=True, kw_only=True, slots=True)
class SimulationConfig:
    """Who works in place of people, and how much."""

    truth: tuple[str, ...]
    """Shards or folders of the pictures with their label maps."""
    annotators: int = 2
    """How many work at once."""
    pictures: int = 100
    """Pictures that they do for each turn, all together."""
    habits: HabitsConfig = field(default_factory=HabitsConfig)
    """How each works."""

    def __post_init__(self) -> None:
        if self.annotators < 1 or self.pictures < 1:
            raise ConfigError("SimulationConfig.annotators and pictures must be at least 1")
        if not self.truth:
            raise ConfigError("SimulationConfig.truth is empty; name the data that the masks are known from")


class LabelTruth:
    """True masks by file name, from label maps: `SET/ID`, whatever the file's ending. Safe to share among threads."""

    def __init__(self, data: Sequence[Path | str]) -> None:
        """Raises: DatasetError for data that cannot be read."""
        self._records = RecordIndex([Path(one) for one in data])
        self._places = {name: place for place, name in enumerate(self._records.names())}

    def __call__(self, file_name: str) -> list[npt.NDArray[np.bool_]] | None:
        """Every region of every map of the picture; None when it is not there.

        Raises: DatasetError for a damaged map.
        """
        place = self._places.get(str(PurePosixPath(file_name).with_suffix("")))
        if place is None:
            return None
        maps = self._records[place].label_maps()
        return [labels == label for labels in maps for label in np.unique(labels) if label > 0]


def annotate(
    url: str,
    people: Sequence[Credentials],
    project_id: int,
    truth: LabelTruth,
    habits: HabitsConfig,
    *,
    pictures: int,
    done: Callable[[PictureNote], None],
    should_stop: Callable[[], bool],
) -> int:
    """`pictures` of the queue are worked on by these people at once; how many were finished (fewer when none is left).

    `done` is called after each, by one at a time.

    Raises: StoreError when the server stays away, DatasetError.
    """
    lock, count = threading.Lock(), [0, 0]

    def work(place: int) -> None:
        client = AnnotationClient(url, people[place])
        annotator = SimulatedAnnotator(client, project_id, truth, habits)
        try:
            while not should_stop():
                with lock:
                    if count[0] >= pictures:
                        return
                    count[0] += 1
                note = annotator.annotate_next()
                with lock:
                    if note is None:
                        return
                    if note.skipped:
                        count[0] -= 1
                        continue
                    count[1] += 1
                    done(note)
        finally:
            client.close()

    with ThreadPoolExecutor(len(people)) as pool:
        for future in [pool.submit(work, place) for place in range(len(people))]:
            future.result()
    return count[1]

"""Records by number, from shards and folders together: what training draws from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from anymask.dataset.entries import ReadLimits, RecordEntry, read_entry
from anymask.dataset.read import index_folder, index_shards
from anymask.dataset.record import Record
from anymask.errors import DatasetError


class RecordIndex:
    """The records of tar shards and folders, of label maps or in SA-1B's form; each is read when it is asked for.

    Folders come first, then shards, each in the order given.
    """

    def __init__(
        self, data: Sequence[Path | str], exclude_sets: Sequence[str] = (), limits: ReadLimits | None = None
    ) -> None:
        """Index `data`, without the sets named in `exclude_sets`.

        Raises: DatasetError when something is damaged, unsafe, twice or not there.
        """
        paths = [Path(path) for path in data]
        self._entries: list[RecordEntry] = []
        for path in paths:
            if path.is_dir():
                self._entries += (entry for entry in index_folder(path, limits) if entry.set_name not in exclude_sets)
        shards = [path for path in paths if not path.is_dir()]
        self._entries += (entry for entry in index_shards(shards, limits) if entry.set_name not in exclude_sets)
        names: set[str] = set()
        for entry in self._entries:
            if entry.name in names:
                raise DatasetError(f"{entry.name} comes twice in the data given; give each shard or folder once")
            names.add(entry.name)

    def pictures_of_sets(self) -> dict[str, int]:
        """How many pictures each set has, by its name, in order of names."""
        return dict(sorted(Counter(self.set_names()).items()))

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, index: int) -> Record:
        return read_entry(self._entries[index])

    def set_names(self) -> list[str]:
        """The set of every record, in order; nothing is read."""
        return [entry.set_name for entry in self._entries]

    def names(self) -> list[str]:
        """`SET/ID` of every record, in order; nothing is read."""
        return [entry.name for entry in self._entries]

    def __iter__(self) -> Iterator[Record]:
        return (self[index] for index in range(len(self)))

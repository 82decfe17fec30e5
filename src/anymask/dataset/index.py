"""Records by number, from shards and folders together: what training draws from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from anymask.dataset.read import ReadLimits, ShardEntry, index_shards, read_entry, read_folder
from anymask.dataset.record import Record
from anymask.errors import DatasetError


class RecordIndex:
    """The records of tar shards and folders of sets, in the order given; those of shards are read when asked for.

    Records of folders are held in memory as the bytes of their files: pack large folders into shards.
    """

    def __init__(
        self, data: Sequence[Path | str], exclude_sets: Sequence[str] = (), limits: ReadLimits | None = None
    ) -> None:
        """Index `data`, without the sets named in `exclude_sets`.

        Raises: DatasetError when something is damaged, unsafe, twice or not there.
        """
        paths = [Path(path) for path in data]
        self._items: list[ShardEntry | Record] = []
        for path in paths:
            if path.is_dir():
                self._items += (record for record in read_folder(path, limits) if record.set_name not in exclude_sets)
        shards = [path for path in paths if not path.is_dir()]
        self._items += (entry for entry in index_shards(shards, limits) if entry.set_name not in exclude_sets)
        names: set[str] = set()
        for item in self._items:
            if item.name in names:
                raise DatasetError(f"{item.name} comes twice in the data given; give each shard or folder once")
            names.add(item.name)

    def pictures_of_sets(self) -> dict[str, int]:
        """How many pictures each set has, by its name, in order of names."""
        return dict(sorted(Counter(item.set_name for item in self._items).items()))

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> Record:
        item = self._items[index]
        return read_entry(item) if isinstance(item, ShardEntry) else item

    def __iter__(self) -> Iterator[Record]:
        return (self[index] for index in range(len(self)))

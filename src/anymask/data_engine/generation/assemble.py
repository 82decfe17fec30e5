"""Finished pieces joined to the shards of the dataset, each as soon as its last piece is there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anymask.data_engine.generation.manifest import Manifest, Piece
from anymask.data_engine.generation.pieces import Outcome, piece_path, read_piece
from anymask.dataset.card import ShardFacts
from anymask.dataset.shards import SHARD_NAME, add_member, new_shard
from anymask.dataset.write import shard_facts
from anymask.errors import ConfigError, DatasetError, RunError
from anymask.runs import from_plain, to_plain, write_atomically


@dataclass(frozen=True, slots=True)
class FinishedShard:
    """A shard of the dataset, and what came of the pictures that were given for it."""

    facts: ShardFacts
    outcome: Outcome


class Assembly:
    """The shards of one run, those of earlier sessions included."""

    def __init__(self, out: Path, work: Path, manifest: Manifest) -> None:
        self.out, self.work = out, work
        self._pieces = manifest.pieces_of_shard()
        self._due = {
            shard: {piece.name for piece in pieces if not piece_path(work, piece).exists()}
            for shard, pieces in self._pieces.items()
            if not self._facts_path(shard).exists()
        }

    def pieces_due(self) -> list[Piece]:
        """What is left to be made, in order."""
        return [piece for shard, due in self._due.items() for piece in self._pieces[shard] if piece.name in due]

    def pictures_done(self) -> int:
        """Pictures of the pieces that are made."""
        return sum(piece.pictures for pieces in self._pieces.values() for piece in pieces) - sum(
            piece.pictures for piece in self.pieces_due()
        )

    def join_ready(self) -> None:
        """Write every shard whose pieces are all there.

        Raises: DatasetError when it cannot be written; RunError when a piece is damaged.
        """
        for shard in [shard for shard, due in self._due.items() if not due]:
            self._join(shard)

    def made(self, piece: Piece) -> None:
        """Note that a piece is there; writes its shard when it was the last one."""
        due = self._due[piece.shard]
        due.discard(piece.name)
        if not due:
            self._join(piece.shard)

    def finished(self) -> Iterator[FinishedShard]:
        """Every shard in order.

        Raises: RunError when the facts of one are damaged.
        """
        for shard in self._pieces:
            path = self._facts_path(shard)
            try:
                plain = json.loads(path.read_bytes())
                yield FinishedShard(from_plain(ShardFacts, plain["facts"]), Outcome.from_plain(plain["outcome"]))
            except (OSError, ValueError, KeyError, TypeError, ConfigError) as error:
                raise RunError(f"{path} is damaged ({error}); begin again in a new folder") from error

    def _join(self, shard: int) -> None:
        path = self.out / SHARD_NAME.format(shard)
        total = Outcome()
        with new_shard(path) as tar:
            for piece in self._pieces[shard]:
                members, outcome = read_piece(piece_path(self.work, piece))
                for name, data in members:
                    add_member(tar, name, data)
                total.add(outcome)
        facts = shard_facts(path, len(total.pictures), sum(total.pictures.values()))
        plain: dict[str, Any] = {"facts": to_plain(facts), "outcome": total.to_plain()}
        try:
            write_atomically(self._facts_path(shard), json.dumps(plain).encode())
        except OSError as error:
            raise DatasetError(f"{self.work} cannot be written ({error.strerror}); make room and run again") from error
        # Only now: until the facts are on disk, a killed run joins the shard again.
        for piece in self._pieces[shard]:
            piece_path(self.work, piece).unlink()
        del self._due[shard]

    def _facts_path(self, shard: int) -> Path:
        return self.work / "shards" / f"{shard:06d}.json"

"""What is on disk: pictures, label maps, and how each mask was made.

Takes: tar shards and folders of SET/ID.webp with SET/ID.png or SET/ID__K.png, or of SA-1B's files; masks to be written.
Gives: `Record`s, streamed or by index; masks as SA-1B JSON, COCO JSON and PNG label maps.
Next: `training/` and `evaluation/`.
"""

from anymask.dataset.entries import ReadLimits, RecordEntry, read_entry
from anymask.dataset.read import index_folder, index_shards, read_folder, read_shards, read_source
from anymask.dataset.record import Record

__all__ = [
    "ReadLimits",
    "Record",
    "RecordEntry",
    "index_folder",
    "index_shards",
    "read_entry",
    "read_folder",
    "read_shards",
    "read_source",
]

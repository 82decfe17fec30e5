"""Every exception a user can meet.

Takes: nothing.
Gives: one class per kind of mistake; each message says what was given, what was expected, and what to do next.
Next: raised everywhere above; `cli/` turns them into exit codes.
"""

from __future__ import annotations


class AnymaskError(Exception):
    """Base of all errors a caller can cause or repair. `exit_code` is what the command line returns for it."""

    exit_code: int = 1


class InputError(AnymaskError, ValueError):
    """Something given by the caller is not usable as it is."""

    exit_code = 2


class ImageError(InputError):
    """A picture is refused: damaged, not an allowed format, too large, or empty."""


class MaskError(InputError):
    """A mask, RLE or polygon is refused: malformed, truncated, or not of the picture's size."""


class PromptError(InputError):
    """A prompt is refused: wrong shape, not finite, or nothing to segment with."""


class UnsupportedPromptError(PromptError):
    """The loaded model cannot take this kind of prompt (for example text)."""


class EmbeddingMismatchError(InputError):
    """A saved embedding belongs to another model or another picture."""


class ConfigError(InputError):
    """A configuration field has a bad value or an unknown name."""


class PathError(InputError):
    """A file name leaves its root, or is not a name this system will read or write."""


class WeightsError(AnymaskError):
    """Weights cannot be used: unknown name, unsafe file, wrong shapes, not finite."""

    exit_code = 3


class ChecksumError(WeightsError):
    """A file's sha256 is not the registered one."""


class DownloadError(WeightsError):
    """Weights could not be fetched; the message names the file and where to put it by hand."""


class DatasetError(AnymaskError):
    """A dataset, shard or record is damaged or not of a known form."""

    exit_code = 4


class RunError(AnymaskError):
    """A run folder is missing, damaged, or belongs to another configuration."""

    exit_code = 5


class ExportError(AnymaskError):
    """An exported model could not be written, or disagrees with the one it came from."""

    exit_code = 6


class MissingDependencyError(AnymaskError, ImportError):
    """An optional dependency is needed; the message names the extra that installs it."""

    exit_code = 7


class StoreError(AnymaskError):
    """The annotation database or its files cannot be reached, read or written."""

    exit_code = 8


class NotWritableError(StoreError):
    """The annotation database or its files are there, but cannot be written: a full, read-only or failing disk."""


class NotThereError(StoreError):
    """There is no such person, project, picture, mask, task or job, or not for who asks."""


class NotAllowedError(StoreError):
    """This person may not do that."""


class SignInError(StoreError):
    """Nobody is signed in, the session has ended, or name and password do not fit."""


class TooManyTriesError(SignInError):
    """Too many passwords were tried; the message says how long to wait."""


class TakenError(StoreError):
    """Somebody or something else was first: a name is in use, a picture is being worked on."""


class LeaseLostError(TakenError):
    """A late writer: the task went on to somebody else, or has ended."""


class ServerConfigError(ConfigError):
    """The server refuses to start as it was asked to, for example open to a network without a password."""

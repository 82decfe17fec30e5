"""The rows of the fault table that this code answers for: fault, tests, and the full-size run where it differs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from soak import bombs, browser_rows, engine_faults, fuzz_rle, generation, server_rows, sizes, training_faults


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One row; a row passes when its tests pass and its full-size run, where there is one, answers True."""

    fault: str
    """What users, disks or attackers bring."""
    tests: tuple[str, ...]
    """Test files that do it for real, run by `make test` too."""
    full_size: Callable[[], bool] | None = None
    """What runs here beyond the tests; None when the tests already are the full size."""


def _poison() -> bool:
    """Both kinds of worker."""
    return generation.requeued() and server_rows.poison()


LOAD, ENGINE, TRANSFERS = 100, 101, 102
"""Not rows of the table: the figures below it, the kills of the data engine's turn, large imports and exports."""

ROWS: dict[int, Row] = {
    1: Row(fault="malformed run lengths", tests=("tests/masks/test_rle.py",), full_size=fuzz_rle.run),
    2: Row(
        fault="malformed polygons, masks of two sizes",
        tests=("tests/masks/test_polygons.py", "tests/masks/test_rle.py"),
    ),
    3: Row(
        fault="damaged JPEG and PNG files",
        tests=(
            "tests/images/test_load.py",
            "tests/images/test_jpeg.py",
            "tests/images/test_png.py",
            "tests/images/test_webp.py",
        ),
    ),
    4: Row(fault="files that are no pictures", tests=("tests/images/test_load.py", "tests/images/test_sniff.py")),
    5: Row(
        fault="decompression bombs",
        tests=("tests/images/test_load.py", "tests/images/test_limits.py"),
        full_size=bombs.run,
    ),
    6: Row(
        fault="orientation, colour modes, odd sizes",
        tests=("tests/images/test_load.py", "tests/images/test_exif.py", "tests/images/test_gif.py"),
    ),
    7: Row(
        fault="unsafe or damaged weights",
        tests=("tests/model/test_damaged_weights.py", "tests/model/test_weights.py", "tests/model/test_download.py"),
    ),
    8: Row(
        fault="unsafe tar shards",
        tests=("tests/dataset/test_read.py", "tests/dataset/test_members.py", "tests/dataset/test_check.py"),
    ),
    9: Row(
        fault="file names that leave their root",
        tests=("tests/images/test_paths.py", "tests/dataset/test_read.py", "tests/model/test_weights.py"),
    ),
    10: Row(
        fault="one damaged picture in a hundred",
        tests=("tests/data_engine/test_automatic.py", "tests/cli/dataset/test_change.py"),
        full_size=generation.corrupt,
    ),
    11: Row(
        fault="a full or read-only disk",
        tests=("tests/dataset/test_shards.py", "tests/data_engine/test_automatic.py"),
    ),
    12: Row(
        fault="bulk generation killed at random points",
        tests=("tests/data_engine/test_automatic.py",),
        full_size=generation.killed,
    ),
    13: Row(
        fault="a worker killed, a picture that kills every worker",
        tests=(
            "tests/data_engine/test_automatic.py",
            "tests/data_engine/generation",
            "tests/data_engine/test_jobs.py",
            "tests/data_engine/test_worker.py",
        ),
        full_size=_poison,
    ),
    14: Row(
        fault="training killed or stopped, resumed also with another number of processes",
        tests=("tests/training/test_loop.py", "tests/training/test_group.py", "tests/cli/test_train.py"),
        full_size=lambda: training_faults.kills(*sizes.TRAINING_KILLS),
    ),
    15: Row(
        fault="NaN loss, empty and one-pixel masks",
        tests=("tests/training/test_loop.py", "tests/training/test_interactive.py"),
    ),
    16: Row(
        fault="an embedding of another model or picture",
        tests=(
            "tests/predict/test_embeddings.py",
            "tests/predict/test_predictor.py",
            "tests/data_engine/test_embedding.py",
            "tests/server/test_embeddings.py",
        ),
    ),
    31: Row(
        fault="the face detector is missing or fails",
        tests=("tests/data_engine/test_release.py", "tests/data_engine/test_privacy.py"),
    ),
    17: Row(
        fault="the server killed before, in and after a commit",
        tests=("tests/data_engine/test_store.py",),
        full_size=server_rows.kills,
    ),
    18: Row(
        fault="a save sent ten times, two writers of one mask",
        tests=("tests/data_engine/test_assisted.py",),
        full_size=server_rows.two_sides,
    ),
    19: Row(
        fault="100 clients for 50 tasks, leases that end, clocks that jump",
        tests=("tests/data_engine/test_queue.py",),
        full_size=server_rows.queue,
    ),
    20: Row(
        fault="the network, the server or the session gone in the middle of a stroke",
        tests=("tests/integration/test_browser_faults.py", "tests/integration/test_browser_tool.py"),
        full_size=browser_rows.network,
    ),
    21: Row(
        fault="a browser without threads, SIMD or memory",
        tests=("tests/integration/test_browser_faults.py",),
        full_size=browser_rows.runtimes,
    ),
    22: Row(
        fault="66 hovers a second",
        tests=("tests/integration/test_browser_faults.py",),
        full_size=browser_rows.hovers,
    ),
    23: Row(
        fault="1,000 masks on one picture",
        tests=("tests/integration/test_browser_faults.py",),
        full_size=browser_rows.masks,
    ),
    24: Row(
        fault="scripts in names and labels",
        tests=("tests/server/test_guard.py", "tests/server/routes/test_images.py"),
    ),
    25: Row(fault="addresses given to the server", tests=("tests/data_engine/test_imports.py",)),
    26: Row(fault="every route, role and owner", tests=("tests/server/test_rules.py",)),
    27: Row(
        fault="other sites, fixed and ended sessions, guessed passwords",
        tests=("tests/server/test_deps.py", "tests/server/routes/test_session.py", "tests/data_engine/test_people.py"),
    ),
    28: Row(
        fault="listening beyond this machine without a password or secret",
        tests=("tests/cli/test_serve.py", "tests/server/test_config.py"),
    ),
    29: Row(
        fault="bodies too large, too many, too slow",
        tests=("tests/server/test_guard.py",),
        full_size=server_rows.bodies,
    ),
    30: Row(
        fault="migrations killed, PostgreSQL restarted under load",
        tests=("tests/data_engine/migrations/test_upgrading.py",),
        full_size=server_rows.migrations,
    ),
    32: Row(
        fault="random requests of every route", tests=("tests/server/test_problems.py",), full_size=server_rows.fuzz
    ),
    ENGINE: Row(
        fault="a turn of the engine killed, two at once",
        tests=("tests/data_engine/turns/test_folder.py", "tests/data_engine/turns/test_retrain.py"),
        full_size=lambda: engine_faults.full_size(sizes.ENGINE_KILLS),
    ),
    TRANSFERS: Row(
        fault="workers killed in large imports and exports while people save",
        tests=("tests/data_engine/test_imports.py", "tests/data_engine/test_exports.py"),
        full_size=server_rows.transfers,
    ),
    LOAD: Row(fault="the load to hold", tests=("tests/data_engine/test_assisted.py",), full_size=server_rows.load),
}

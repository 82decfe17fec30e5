"""How large each row is: at its full size here, and in `make test` where that is smaller."""

RLE_FUZZ_INPUTS = 10_000
"""Row 1: random inputs to the run-length gate, in `make test` and here alike."""
RLE_FUZZ_GROWTH_MIB = 50
"""Row 1: how much the process may grow over them."""
BOMB_REFUSAL_MS = 200
"""Row 5: how long a refusal may take. Measured here only: a test does not assert wall time."""
BOMB_REFUSAL_MIB = 200
"""Row 5: how much memory a refusal may take."""
CORRUPT_PICTURES, CORRUPT_EVERY = 10_000, 100
"""Row 10: pictures generated over, and one in how many of them is damaged."""
CI_CORRUPT_PICTURES = 200
"""Row 10 in `make test`."""
GENERATION_GROWTH_MIB = 64
"""Row 10: how much any process of the run may grow after the first 500 pictures."""
KILL_POINTS = 50
"""Row 12: how often a run of bulk generation is killed, all of it, at a random point, with 2 to 8 workers."""
CI_KILL_POINTS = 5
"""Row 12 in `make test`."""
REQUEUE_S = 60
"""Row 13: how soon the pictures of a worker that died must be given out again."""
TRAINING_KILLS = (30, 12)
"""Row 14: random points at which a training of one process, and one of two, is stopped."""
TRAINING_KILLS_CI = (0, 2)
"""Row 14 in `make test`, beside five kills of one process in `tests/training/test_loop.py`."""
SERVER_KILLS_CI, SERVER_KILLS = 5, 200
"""Row 17: moments at which the server is killed while it saves."""
QUEUE_ROUNDS_CI, QUEUE_ROUNDS = 3, 1000
"""Row 19: rounds of 100 clients that ask for the next of 50 tasks."""
QUEUE_CLIENTS, QUEUE_TASKS = 100, 50
"""Row 19."""
OFFLINE_S_CI, OFFLINE_S = 5, 600
"""Row 20: seconds without a network."""
OFFLINE_STROKES = 4
"""Row 20: strokes painted in that time, and as many while the server fails."""
HOVER_DECODES_CI, HOVER_DECODES = 200, 10_000
"""Row 22: hovers that are answered, of 66 a second that are asked."""
MANY_MASKS = 1000
"""Row 23: masks on one picture, in `make test` and here alike; times are asserted here only."""
FRAME_P95_MS, UNDO_P95_MS, SAVE_P95_MS = 33, 100, 1000
"""Row 23: the 95th percentiles that hold."""
MIGRATION_KILLS_CI, MIGRATION_KILLS = 5, 50
"""Row 30: moments at which a migration is killed."""
RESTARTS_CI, RESTARTS = 1, 5
"""Row 30: restarts of PostgreSQL under load."""
API_FUZZ_S_CI, API_FUZZ_S = 20, 300
"""Row 32: seconds of random requests made from the description."""
LOAD_S_CI, LOAD_S = 10, 60
"""Load: seconds of it."""
LOAD_SQLITE, LOAD_POSTGRES = (50, 40), (200, 200)
"""Load: annotators and writes a second on this machine, with the 99th percentile below LOAD_P99_MS."""
LOAD_CI = (10, 20)
"""Load: the same in `make test`, where no time is asserted, only that nothing is lost."""
LOAD_P99_MS = 250
"""Load: milliseconds to an acknowledged save."""
TRANSFER_PICTURES_CI, TRANSFER_PICTURES = 200, 10_000
"""Row 102: small pictures brought in and written out."""
TRANSFER_KILLS_CI, TRANSFER_KILLS = 1, 3
"""Row 102: how often the worker is killed in each import and export."""
TRANSFER_WRITES_A_SECOND = 10
"""Row 102: masks that people save meanwhile."""
TRANSFER_PEOPLE = 40
"""Row 102: of them, each on a picture."""
TRANSFER_GROWTH_MIB = 64
"""Row 102: how much the server may grow in an import or export, after the first fifth of it."""
ENGINE_KILLS_CI = {"assisted": 2, "semi_automatic": 2, "automatic": 1}
ENGINE_KILLS = {"assisted": 8, "semi_automatic": 6, "automatic": 6}
"""Row 101: random points at which a turn of the engine is killed, by its stage."""

"""How large each row is: at its full size here, and in `make test` where that is smaller."""

RLE_FUZZ_INPUTS = 10_000
"""Row 1: random inputs to the run-length gate, in `make test` and here alike."""
RLE_FUZZ_GROWTH_MIB = 50
"""Row 1: how much the process may grow over them."""
BOMB_REFUSAL_MS = 200
"""Row 5: how long a refusal may take. Measured here only: a test does not assert wall time."""
BOMB_REFUSAL_MIB = 200
"""Row 5: how much memory a refusal may take."""

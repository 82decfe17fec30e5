"""Row 5 at full size: how long, and with how much memory, pictures that would explode are refused."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

from soak.sizes import BOMB_REFUSAL_MIB, BOMB_REFUSAL_MS

_MEASURE = """
import json, sys, time
from pathlib import Path
from anymask.errors import ImageError
from anymask.images.load import load_image

def peak_kb():  # not rusage: its figure is at least that of the process that started this one
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])

before = peak_kb()
start = time.perf_counter()
try:
    load_image(sys.argv[1])
    reason = None
except ImageError as error:
    reason = str(error)
spent_ms = (time.perf_counter() - start) * 1000
grown_mib = (peak_kb() - before) / 1024
print(json.dumps({"reason": reason, "ms": spent_ms, "mib": grown_mib}))
"""


def run() -> bool:
    """True when every bomb is refused within the limits, each in a process of its own."""
    holds = True
    with tempfile.TemporaryDirectory() as folder:
        for name, data in _bombs().items():
            path = Path(folder) / name
            path.write_bytes(data)
            answer = subprocess.run([sys.executable, "-c", _MEASURE, path], check=True, capture_output=True, text=True)
            seen = json.loads(answer.stdout)
            good = seen["reason"] is not None and seen["ms"] < BOMB_REFUSAL_MS and seen["mib"] < BOMB_REFUSAL_MIB
            holds &= good
            print(f"{name} ({len(data):,} bytes): {seen['ms']:.1f} ms, {seen['mib']:.1f} MiB, {seen['reason']}")
    return holds


def _bombs() -> dict[str, bytes]:
    huge = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    webp_body = b"VP8X" + struct.pack("<I", 10) + b"\0\0\0\0" + (16_383).to_bytes(3, "little") * 2
    return {
        "one_bit_30000.png": _png(struct.pack(">IIBBBBB", 30_000, 30_000, 1, 0, 0, 0, 0), _zeros(30_000 * (1 + 3750))),
        "claims_100000.png": _png(huge, zlib.compress(b"\0" * 100)),
        "claims_65000.jpg": b"\xff\xd8\xff\xc0\x00\x11\x08" + struct.pack(">HH", 65_000, 65_000)
        + b"\x03\x01\x22\x00\x02\x11\x01\x03\x11\x01\xff\xd9",
        "claims_16384.webp": b"RIFF" + struct.pack("<I", len(webp_body) + 4) + b"WEBP" + webp_body,
    }  # fmt: skip


def _zeros(count: int) -> bytes:
    packer = zlib.compressobj(9)
    block = b"\0" * 1_000_000
    packed = b"".join(packer.compress(block[: min(len(block), count - at)]) for at in range(0, count, len(block)))
    return packed + packer.flush()


def _png(header: bytes, data: bytes) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")

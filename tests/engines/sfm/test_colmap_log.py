"""Progress from log lines."""

import time
from pathlib import Path

from vggt_addon.engines.sfm.colmap_log import share_done, watched

EXTRACTION = b"I2026 1 feature_extraction.cc:270] Processed file [1/4]\nI2026 2 ...] Processed file [3/4]\n"


def test_shares() -> None:
    assert share_done(b"") == 0.0
    assert share_done(EXTRACTION) == 0.75
    assert share_done(b"pairing.cc:214] Processing block [2/4, 3/4]\n") == (1 * 4 + 2) / 16
    assert share_done(b"pairing.cc:938] Processing block [6/10]\n") == 0.5
    assert share_done(b"Processed file [9/0] nonsense [") == 1.0


def test_only_what_is_added_counts(tmp_path: Path) -> None:
    log = tmp_path / "colmap.log"
    log.write_bytes(EXTRACTION)
    told: list[float] = []
    with watched(log, told.append, interval=0.01):
        with log.open("ab") as file:
            file.write(b"Processing block [2/4]\n")
        for _ in range(200):
            if told[-1] > 0:
                break
            time.sleep(0.01)
    assert told[0] == 0.0
    assert told[-1] == 0.25

"""Spoilt photos, masks and captures by the hundred thousand; `make fuzz` runs it.

    python -m tests.fuzz [--inputs 120000] [--seed 0] [--only photos|masks|captures] [--at-once 2]

Each is read in a child process with little memory and a time limit: it is accepted or refused with a sentence, and
anything else (another exception, a crash, a hang) is a finding, told with the number that makes it again:

    python -m tests.fuzz --child photos 0 4711 4712

Exit status 1 where there is one. This module imports nothing beyond the standard library, its children what they test.
"""

import argparse
import json
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]
BATCH = 2000  # inputs of one child: what leaks is gone with it
MEMORY = 2 << 30  # bytes of address space; a photo of 54 x 36 needs next to none, libraries and stacks the most
SECONDS = 10.0  # for one input
SHARES = {"photos": 0.5, "masks": 0.1, "captures": 0.4}  # of the inputs


def main() -> int:
    """Run as the options say. 1 where something was found."""
    parser = argparse.ArgumentParser(description="Reads spoilt photos, masks and captures.")
    parser.add_argument("--inputs", type=int, default=120_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=tuple(SHARES))
    parser.add_argument("--at-once", type=int, default=2)
    parser.add_argument("--child", nargs=4, metavar=("TARGET", "SEED", "FIRST", "END"))
    options = parser.parse_args()
    if options.child:
        target, *numbers = options.child
        return _child(target, *map(int, numbers))
    findings = 0
    for target in [options.only] if options.only else SHARES:
        count = options.inputs if options.only else round(options.inputs * SHARES[target])
        findings += _run(target, count, options.seed, options.at_once)
    return 1 if findings else 0


def _run(target: str, count: int, seed: int, at_once: int) -> int:
    """All inputs of one target; prints what became of them and returns how many findings there are."""
    started = time.monotonic()
    batches = [(first, min(first + BATCH, count)) for first in range(0, count, BATCH)]
    told: Counter[str] = Counter()
    findings: list[str] = []
    peak = 0
    with ThreadPoolExecutor(at_once) as pool:
        for lines in pool.map(lambda batch: _batch(target, seed, *batch), batches):
            for line in lines:
                told.update(line.get("told", {}))
                peak = max(peak, line.get("peak", 0))
                if "finding" in line:
                    findings.append(f"{target} {seed} {line['number']}: {line['finding']}")
    seconds = time.monotonic() - started
    print(
        f"{target}: {count} inputs in {seconds:.0f} s, {dict(told)}, at most {peak / 1e6:.0f} MB, {len(findings)} found"
    )
    for finding in findings[:20]:
        print(finding)
    return len(findings)


def _batch(target: str, seed: int, first: int, end: int) -> list[dict[str, Any]]:
    """What children tell of these inputs; one that ends in the middle is a finding, and another takes up behind it."""
    told: list[dict[str, Any]] = []
    while first < end:
        command = [sys.executable, "-m", "tests.fuzz", "--child", target, str(seed), str(first), str(end)]
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
        lines = list(_lines(done.stdout))
        told += lines
        if done.returncode == 0:
            return told
        begun = [line["begun"] for line in lines if "begun" in line]
        if not begun:
            raise RuntimeError(f"{' '.join(command)} does not begin:\n{done.stderr[-3000:]}")
        number = max(begun)
        kind = "hang" if done.returncode == -signal.SIGALRM else f"crash, status {done.returncode}"
        told.append({"number": number, "finding": f"{kind}\n{done.stderr[-1500:]}"})
        first = number + 1
    return told


def _lines(text: str) -> Iterable[dict[str, Any]]:
    for line in text.splitlines():
        if line.startswith("{"):
            yield json.loads(line)


def _child(name: str, seed: int, first: int, end: int) -> int:
    """Read inputs `first` to `end` and tell, a line of JSON each time: what is begun, what was found, and the sum."""
    import warnings

    from .targets import TARGETS

    warnings.simplefilter("error")  # as in the suite
    warnings.filterwarnings("ignore", module=r"PIL\.")
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # ends the process also where a library does not come back
    told: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        take = TARGETS[name](Path(folder))
        for number in range(first, end):
            print(f'{{"begun": {number}}}', flush=True)
            signal.setitimer(signal.ITIMER_REAL, SECONDS)
            try:
                told["accepted" if take(random.Random(f"{seed} {name} {number}")) else "refused"] += 1
            except Exception:
                finding = traceback.format_exc(limit=-6)
                print(json.dumps({"number": number, "finding": finding}), flush=True)
            signal.setitimer(signal.ITIMER_REAL, 0)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"told": dict(told), "peak": peak}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

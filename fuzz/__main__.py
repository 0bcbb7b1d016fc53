"""
Throws spoilt inputs at everything that reads what strangers send.

What must hold: only documented errors are raised, the result doesn't depend on how bytes are cut into chunks,
no input takes long, and memory does not grow. On a failure the input is printed so that it can become
a test, with what to run to see it again.
"""

from __future__ import annotations

import argparse
import gc
import os
import random
import sys
import time
from pathlib import Path

from fuzz.mutation import Target, mutated

from fuzz import decoders, wire

SLOWEST = 2.0
"""Seconds of processor time that one input of some thousand bytes may take, on a busy machine."""

MOST_GROWTH = 8 * 1024 * 1024
"""Bytes by which memory may grow in the second half of a target's inputs; allocators are not exact."""

TARGETS = {target.name: target for target in (*wire.TARGETS, *decoders.TARGETS)}


class Failed(Exception):
    """An input that something may not be said of."""


def resident() -> int:
    """Return the bytes of memory this process has; 0 where that can't be told."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def shortened(data: bytes) -> str:
    """Return an input as Python writes it, without the middle when it is long."""
    text = repr(data)
    return text if len(text) < 2000 else f"{text[:1000]} ... {text[-1000:]}"


def fuzz(target: Target, inputs: int, seed: str) -> tuple[int, int]:
    """
    Give a target so many inputs.

    Returns:
        How many it took for good, and by how many bytes memory grew in the second half.

    Raises:
        Failed: something happened that may not.
    """
    taken = 0
    before = 0
    for number in range(inputs):
        if number == inputs // 2:
            gc.collect()
            before = resident()
        # Each input has a seed of its own, so that one can be made again without those before it.
        chance = random.Random(f"{seed} {target.name} {number}")
        data = mutated(target.seeds, chance, target.longest)
        began = time.process_time()
        try:
            taken += target.check(data, chance)
            assert time.process_time() - began < SLOWEST, "it takes too long"
        except Exception as problem:
            raise Failed(
                f"{target.name}: {problem!r}\ninput {number} of seed {seed}: {shortened(data)}"
            ) from problem
    gc.collect()
    grown = max(0, resident() - before) if before else 0
    if grown > MOST_GROWTH:
        raise Failed(f"{target.name}: memory grew by {grown // 1024} KiB")
    return taken, grown


def main() -> None:
    """Run the targets that were asked for, or all."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__.split("\n\n")[0].strip())
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}")
    parser.add_argument("--inputs", type=int, default=100_000, help="altogether (default: 100000)")
    parser.add_argument("--seed", default=None, help="for the same inputs again")
    options = parser.parse_args()
    unknown = [name for name in options.targets if name not in TARGETS]
    if unknown:
        parser.error(f"no target is called {unknown[0]}")
    seed = options.seed or str(random.SystemRandom().randrange(10**6))
    names = options.targets or list(TARGETS)
    each = -(-options.inputs // len(names))
    print(f"seed {seed}, {each} inputs each", flush=True)
    began = time.monotonic()
    for name in names:
        started = time.monotonic()
        try:
            taken, grown = fuzz(TARGETS[name], each, seed)
        except Failed as failure:
            print(failure, file=sys.stderr)
            sys.exit(1)
        rate = each / (time.monotonic() - started)
        print(
            f"{name:24} {each:8,} inputs  {100 * taken / each:3.0f} % taken  {rate:8,.0f}/s"
            f"  memory +{grown // 1024:,} KiB",
            flush=True,
        )
    print(f"{each * len(names):,} inputs in {time.monotonic() - began:.0f} s, nothing that may not be")


if __name__ == "__main__":
    main()

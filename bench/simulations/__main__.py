"""``make simulations``: count every claim, print it, end with 1 when one does not hold."""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np

from bench.simulations import coaching, flags, ranges, samples

SEED = 20_260
RUNS = 1000


def main() -> None:
    """Run every simulation with one seed."""
    options = argparse.ArgumentParser(prog="python -m bench.simulations", description=__doc__)
    options.add_argument("--seed", type=int, default=SEED)
    options.add_argument("--runs", type=int, default=RUNS, help="months, or programmes, of each kind")
    options.add_argument("--json", type=Path, help="also write the claims here")
    given = options.parse_args()
    started = time.perf_counter()
    claims = [
        claim
        for place, part in enumerate((coaching, flags, ranges, samples))
        for claim in part.measure(np.random.default_rng([given.seed, place]), given.runs)
    ]
    for claim in claims:
        state = "pass" if claim.holds else "FAIL"
        print(f"{state}  {claim.figure:9.4f}  in {claim.low:.4f} to {claim.high:.4f}  {claim.name}")
    print(f"seed {given.seed}, {given.runs} runs, {time.perf_counter() - started:.0f} s")
    if given.json:
        lines = [asdict(one) | {"figure": float(one.figure), "holds": one.holds} for one in claims]
        told = {"seed": given.seed, "runs": given.runs, "claims": lines}
        given.json.write_text(json.dumps(told, indent=1), encoding="utf-8")
    sys.exit(0 if all(claim.holds for claim in claims) else 1)


if __name__ == "__main__":
    main()

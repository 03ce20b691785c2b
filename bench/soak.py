"""Hours of work in small: mixed load under steady mischief, and what it leaves behind.

Runs that complete, fail, ask to be tried again, exceed their time, are cancelled and leave
strays; every 5 to 20 s the daemon's broker is killed or a step is stopped, with --kill also
the daemon itself. Prints a line a sample period, the slopes, and PASS or FAIL.

With --forget, nothing is harmed: records older than so many seconds are collected, and the
store is compacted whenever 8 MiB of it are of no use; memory and disk have to reach a plateau.

    python bench/soak.py [--minutes 20] [--kill | --forget 20] [--seed 1]
"""

import argparse
import logging
import sys
import tempfile
from pathlib import Path

import anyio

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.soak import FORGETS, Course, Sample, soak, soaked, wear
from support.wear import judge, judge_plateau

_MIB = 1 << 20
_MEMORY_A_RUN = 24 << 10
"""The embedded database keeps its index in memory, about a KiB for each row, and such a run
has some sixteen rows. Whoever keeps history for long needs room for it, or a server."""
_LINES = 20


def main() -> None:
    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("--minutes", type=float, default=20)
    wanted.add_argument("--kill", action="store_true", help="kill the daemon, too")
    wanted.add_argument("--forget", type=int, help="keep records for so many seconds")
    wanted.add_argument("--seed", type=int, default=1)
    options = wanted.parse_args()
    logging.basicConfig(level=logging.CRITICAL)  # that the broker is killed is no news
    more = FORGETS | {"STRATUM_RETENTION__AGE": f"{options.forget}s"} if options.forget else {}
    with tempfile.TemporaryDirectory() as folder, soaked(Path(folder), more) as daemon:

        async def run() -> Course:
            if options.forget:
                return await wear(daemon, 60 * options.minutes, options.seed)
            return await soak(
                daemon, 60 * options.minutes, kill=options.kill, seed=options.seed
            )

        course = anyio.run(run)
        sys.exit(not report(course, plateau=bool(options.forget)))


def report(course: Course, *, plateau: bool) -> bool:
    """Print everything; whether all is well."""
    for sample in course.samples[:: max(1, len(course.samples) // _LINES)]:
        print(line(sample))
    print(line(course.samples[-1]))
    print(f"faults {dict(course.faults)}, cancelled {course.cancelled}")
    print(f"published {course.published}, verdicts {dict(course.verdicts)}")
    found = list(
        judge_plateau(course) if plateau else judge(course, memory_a_run=_MEMORY_A_RUN)
    )
    for each in found:
        print(f"{'ok  ' if each.ok else 'FAIL'} {each.name}: {each.said}")
    well = all(each.ok for each in found)
    print("PASS" if well else "FAIL")
    return well


def line(sample: Sample) -> str:
    seen = sample.vitals
    return (
        f"{sample.at_s:7.0f} s  runs {sample.runs:6d}  rss {seen.rss / _MIB:6.1f} MiB  "
        f"descriptors {seen.descriptors:3d}  threads {seen.threads:3d}  "
        f"children {seen.children:2d} ({seen.zombies} dead)  "
        f"database {sample.database / _MIB:6.1f} MiB"
    )


if __name__ == "__main__":
    main()

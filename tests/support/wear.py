"""What the samples of a soak say: what grows, what is left, and whether that is well."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from statistics import linear_regression, median

from support.soak import Course, Sample

_MIB = 1 << 20
_OVER = {"completed", "compensated"}
_SLACK = 4
"""Descriptors and threads that may come and go."""
_TELLING_S = 60.0
"""A life of the daemon that is shorter says nothing about slopes."""
_LEVEL = 1.1
_WARM = 0.4
"""The part of a life in which caches fill."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that has to be so, and what was found."""

    name: str
    ok: bool
    said: str


@dataclass(frozen=True, slots=True)
class Life:
    """One process of the daemon, after its caches have filled."""

    samples: Sequence[Sample]

    def slope(self, of: Callable[[Sample], float]) -> float:
        """How fast something grows, a second."""
        return linear_regression(
            [each.at_s for each in self.samples], [of(each) for each in self.samples]
        ).slope

    def growth(self, of: Callable[[Sample], float]) -> float:
        """From the middle of the first third to that of the last."""
        third = max(1, len(self.samples) // 3)
        return median(map(of, self.samples[-third:])) - median(map(of, self.samples[:third]))

    @property
    def seconds(self) -> float:
        return self.samples[-1].at_s - self.samples[0].at_s


def judge(course: Course, *, memory_a_run: int) -> Iterator[Finding]:
    """Every finding; `memory_a_run` is how many bytes a run may leave behind in memory."""
    left = sum(number for status, number in course.runs.items() if status not in _OVER)
    yield Finding("every event has its verdict", course.unjudged == 0, f"{course.unjudged} not")
    yield Finding("every run has ended", not left, f"{dict(course.runs)}")
    yield Finding("both ways were gone", set(course.runs) >= _OVER, f"{dict(course.runs)}")
    yield Finding("nothing is stuck", not course.complaints, "; ".join(course.complaints))
    first, last = course.samples[0].vitals, course.samples[-1].vitals
    yield Finding("no zombie is left", not last.zombies, f"{last.zombies} left")
    yield _flat("children", first.children, last.children, 0)
    yield _flat("descriptors", first.descriptors, last.descriptors, _SLACK)
    for life in lives(course.samples):
        yield from _wear(life, memory_a_run)


def judge_plateau(course: Course) -> Iterator[Finding]:
    """Whether a daemon that forgets as fast as it learns has stopped growing.

    The store grows until it is compacted, so its peaks count.
    """
    third = len(course.samples) // 3
    before, after = course.samples[third : 2 * third], course.samples[2 * third :]
    for what, of in (
        ("memory", lambda each: each.vitals.rss),
        ("database", lambda each: each.database),
    ):
        peaks = [max(map(of, each)) / _MIB for each in (before, after)]
        said = f"at most {peaks[0]:.1f} MiB in the second third, {peaks[1]:.1f} in the last"
        yield Finding(f"{what} has reached its plateau", peaks[1] <= _LEVEL * peaks[0], said)
    for life in lives(course.samples):
        threads = life.growth(lambda sample: sample.vitals.threads)
        descriptors = life.growth(lambda sample: sample.vitals.descriptors)
        compacted = sum(
            after.database < before.database / 2 for before, after in pairwise(life.samples)
        )
        said = f"{threads:+g}, with {compacted} compactions"
        yield Finding("threads stay", threads <= _SLACK, said)
        yield Finding("descriptors stay", descriptors <= 2 * _SLACK, f"{descriptors:+g}")


def lives(samples: Sequence[Sample]) -> Sequence[Life]:
    """Those that are long enough to tell, each without its beginning."""
    found = []
    for _, each in groupby(samples, key=lambda sample: sample.pid):
        whole = list(each)
        if whole[-1].at_s - whole[0].at_s >= _TELLING_S * (1 - _WARM):
            found.append(Life(whole[int(len(whole) * _WARM) :]))
    return found


def _wear(life: Life, memory_a_run: int) -> Iterator[Finding]:
    threads = life.growth(lambda sample: sample.vitals.threads)
    descriptors = life.growth(lambda sample: sample.vitals.descriptors)
    yield Finding("threads stay", threads <= _SLACK, f"{threads:+g} in {life.seconds:.0f} s")
    yield Finding(
        "descriptors stay",
        descriptors <= 2 * _SLACK,
        f"{descriptors:+g} in {life.seconds:.0f} s",
    )
    grown = life.slope(lambda sample: sample.vitals.rss)
    pace = life.slope(lambda sample: sample.runs)
    each = grown / pace if pace > 0 else grown
    yield Finding(
        "memory stays",
        each <= memory_a_run,
        f"{grown * 60 / _MIB:+.2f} MiB a minute, {each:+.0f} bytes a run at {pace:.1f} runs/s",
    )


def _flat(what: str, first: int, last: int, slack: int) -> Finding:
    return Finding(f"{what} are as at the start", last <= first + slack, f"{first} to {last}")

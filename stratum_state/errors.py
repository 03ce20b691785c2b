"""What can go wrong with recorded state.

StateError
├── IllegalMove     a run, step or compensation was asked to go where it cannot go from here
├── Unavailable     the store cannot be reached now; what was asked for did not become durable
│   └── DiskFailed      its disk is full or broken: it has to be mended before the next start
├── BadAddress      there can be no store at this address
├── NotLetIn        the database server refuses the user
├── NewerSchema     the records are those of a later Stratum
├── Fenced          another instance owns this lane: write nothing more
├── NotOurs         the run belongs to a lane that this instance does not hold
├── Rejected        the store refuses this fact and would refuse it again
├── Taken           the event's identity already has a run, made by somebody else
├── BrokenChain     a journal was altered, or a part of it is missing
└── StoreInUse      another process has the embedded store open
"""


class StateError(Exception):
    """The record could not be read or written."""


class IllegalMove(StateError):
    """Something was asked to go where it cannot go from here."""

    def __init__(self, what: str, current: str, wanted: str) -> None:
        super().__init__(f"{what} is {current} and cannot become {wanted}")
        self.what = what
        self.current = current
        self.wanted = wanted


class Unavailable(StateError):
    """The store cannot be reached now."""


class DiskFailed(Unavailable):
    """The disk of an embedded store is full or broken."""


class BadAddress(StateError):
    """There can be no store at this address."""


class NotLetIn(StateError):
    """The database server refuses the user."""


class NewerSchema(StateError):
    """The records are those of a later Stratum."""

    def __init__(self, found: object, known: int) -> None:
        super().__init__(
            f"the store has schema version {found}, this Stratum knows {known}: "
            "start the Stratum that wrote it, or a later one"
        )


class Fenced(StateError):
    """Another instance owns this lane."""

    def __init__(self, lane: str, epoch: int) -> None:
        super().__init__(f"lane {lane} is no longer ours: epoch {epoch} has passed")
        self.lane = lane
        self.epoch = epoch


class NotOurs(StateError):
    """The run belongs to a lane that this instance does not hold."""

    def __init__(self, run: str, lane: str) -> None:
        super().__init__(
            f"run {run} belongs to lane {lane}, which this instance does not hold; "
            "ask the instance that does"
        )
        self.run = run
        self.lane = lane


class Rejected(StateError):
    """The store refuses this fact and would refuse it again."""

    def __init__(self, what: str, why: str) -> None:
        super().__init__(f"the store refuses {what}: {why}")
        self.what = what
        self.why = why


class Taken(StateError):
    """The event's identity already has a run."""

    def __init__(self, identity: str) -> None:
        super().__init__(f"identity {identity} already has a run")
        self.identity = identity


class BrokenChain(StateError):
    """A journal was altered, or a part of it is missing."""

    def __init__(self, chain: str, n: int, why: str) -> None:
        super().__init__(f"the journal of {chain} is broken at entry {n}: {why}")
        self.chain = chain
        self.n = n
        self.why = why


class StoreInUse(StateError):
    """Another process has the embedded store open."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"{path} is in use by another process; "
            "stop that one, or give this one its own data folder"
        )
        self.path = path

"""Why a script cannot be had."""


class NotFetched(Exception):
    """A script is not to be had, or not now; says so as its author is told."""

    def __init__(self, why: str, remedy: str, *, away: str = "") -> None:
        """`away` is the host that does not answer: others need not wait for it again."""
        super().__init__(why)
        self.why = why
        self.remedy = remedy
        self.away = away

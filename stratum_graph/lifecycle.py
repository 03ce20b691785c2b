"""The events with which a daemon says what became of a run, so that pipelines can follow."""

PREFIX = "events.stratum.run"
"""Only daemons start anything by these subjects: `policies/guards.cedar` sees to that."""
ENDS = ("completed", "compensated", "abandoned")
ASKED = "asked"
"""The word for a question to people that is open."""


def subject(status: str, pipeline: str) -> str:
    """Under which the end of a run of the pipeline, or a question of one, is published."""
    return f"{PREFIX}.{status}.{pipeline}"

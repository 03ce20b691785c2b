"""The events with which a daemon says that a run has ended, so that pipelines can follow."""

PREFIX = "events.stratum.run"
"""Only daemons start anything by these subjects: `policies/guards.cedar` sees to that."""
ENDS = ("completed", "compensated", "abandoned")


def subject(status: str, pipeline: str) -> str:
    """Under which the end of a run of the pipeline is published."""
    return f"{PREFIX}.{status}.{pipeline}"

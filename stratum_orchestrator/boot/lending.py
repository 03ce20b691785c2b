"""The step `credentials`: whoever lends values to steps, and what is left to be taken back."""

from stratum_orchestrator import lenders
from stratum_orchestrator.boot.frame import Frame
from stratum_orchestrator.boot.records import Records
from stratum_orchestrator.saga.lending import Lender


async def prepare_lending(frame: Frame, records: Records) -> Lender:
    """Open the provider; raises an AuthError or CredentialsDenied when it cannot be used."""
    settings = frame.settings.credentials
    place = lenders.Place(
        settings=settings,
        project=frame.home.project,
        folder=frame.home.folder / "openbao",
        dev=frame.launch.dev,
    )
    broker = await frame.stack.enter_async_context(lenders.opening(place))
    lender = Lender(
        broker, records.tracker, frame.clock, frame.points.passed, grace_s=settings.grace
    )
    await frame.beside(lender.revocations.watch)
    frame.metrics.watch_owed(lambda: len(lender.revocations))
    frame.health.watch("credentials", lambda: _state(lender))
    return lender


def _state(lender: Lender) -> tuple[bool, str]:
    """Whether steps can be lent something, as far as is known."""
    left = len(lender.revocations)
    trouble = str(getattr(lender.broker, "trouble", ""))
    waiting = f", {left} to be taken back" if left else ""
    return not trouble, f"{trouble or lender.broker.provider}{waiting}"

"""What a fact needs to be on record already, beside the legal moves of its own kind."""

from stratum_state import moves
from stratum_state.account import Account
from stratum_state.checkpoint import Answer
from stratum_state.errors import IllegalMove, Rejected
from stratum_state.model import Fact, OfRun, PipelineRun, StepRecord, StepStatus


def check(fact: Fact, account: Account | None) -> None:
    """Raise IllegalMove or Rejected when what is on record of its run does not allow it."""
    if not isinstance(fact, OfRun) or isinstance(fact, PipelineRun):
        return
    if account is None or account.run is None:
        raise Rejected(moves.name(fact), f"run {fact.run} is not on record")
    if isinstance(fact, StepRecord):
        _check_step(fact, account)
    elif isinstance(fact, Answer):
        _check_answer(fact, account)


def _check_step(step: StepRecord, account: Account) -> None:
    """A node succeeds once, and begins when its question, if it has one, is granted."""
    if step.status is StepStatus.SUCCEEDED:
        attempt = account.succeeded.get((step.stage, step.node), step.attempt)
        if attempt != step.attempt:
            raise IllegalMove(moves.name(step), f"done by attempt {attempt}", step.status)
    if step.status is StepStatus.STARTED:
        asked = account.question(step.stage, step.node)
        if asked is not None and not asked.is_granted:
            raise IllegalMove(moves.name(step), f"asked about, {asked.status}", step.status)


def _check_answer(answer: Answer, account: Account) -> None:
    """An answer belongs to a question that is open."""
    asked = account.question(answer.stage, answer.node)
    state = asked.status if asked else "not asked about"
    if asked is None or not asked.is_open:
        raise IllegalMove(moves.name(answer), state, answer.status)

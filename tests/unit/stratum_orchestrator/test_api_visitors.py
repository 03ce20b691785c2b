"""Each request acts as the principal of its token, and sees what the policies show it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
import pytest

from stratum_graph.model import Principal
from stratum_orchestrator.auth import tokens
from stratum_orchestrator.auth.access import Access
from stratum_orchestrator.home import token_digest
from stratum_orchestrator.reception import Receptionist
from stratum_orchestrator.saga.docket import DETAILED
from stratum_orchestrator.saga.rules import Rules
from stratum_orchestrator.saga.ruling import Rulings
from stratum_orchestrator.supervision import background
from stratum_state.model import Fact
from stratum_state.store import DecisionFilter
from support.desk import Answer, FixedClock, Served, served
from support.people import ADA, BOT, GRANT, Law, Shelf, granted
from support.records import a_question, a_run, a_verdict

OLGA = Principal(key="UOLGA", name="olga", groups=("operators",))
VERA = Principal(key="UVERA", name="vera")
EVE = Principal(key="UEVE", name="eve", groups=("operators",), tenant="elsewhere")
HOME = "the-token-of-the-home"
NOW = FixedClock().now_ms()


@dataclass
class Office:
    """The API before the shipped policies, and a token for each principal."""

    access: Access
    rulings: Rulings
    law: Law = field(default_factory=lambda: Law(people=(ADA, BOT, OLGA, VERA, EVE)))
    served: Served = field(init=False)
    tokens: dict[str, str] = field(default_factory=dict)

    def rules(self) -> Rules:
        generation = self.served.desk.generation
        assert generation is not None
        return Rules(
            generation=generation,
            principals=self.law.principals,
            authorizer=self.law.authorizer,
            grants=self.law.grants,
        )

    async def get(self, who: str, path: str, **headers: str) -> Answer:
        return await self.served.get(path, Authorization=self.bearer(who), **headers)

    async def post(self, who: str, path: str, told: object, **headers: str) -> Answer:
        return await self.served.post(path, told, Authorization=self.bearer(who), **headers)

    def bearer(self, who: str) -> str:
        if who not in self.tokens:
            _, self.tokens[who] = tokens.add(self.access.tokens, who, who, NOW, 3600)
        return f"Bearer {self.tokens[who]}"


@asynccontextmanager
async def opened(folder: Path, *, is_reserved: bool = False) -> AsyncIterator[Office]:
    async def record(*facts: Fact) -> None:
        await office.served.desk.write(*facts)

    office = Office(Access.at(folder / "access"), Rulings(record, FixedClock()))
    office.tokens["home"] = HOME
    reception = Receptionist(
        home_digest=token_digest(HOME),
        operator=Principal(key="UDAEMON", name="operator", groups=("operators", "admins")),
        tokens=office.access.tokens,
        rules=office.rules,
        rulings=office.rulings,
        clock=FixedClock(),
    )
    async with served(reception=reception, is_reserved=is_reserved) as api:
        office.served = api
        async with background(office.rulings.keep):
            yield office


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with opened(tmp_path) as office:
        yield office


async def test_a_token_acts_as_its_principal(office: Office) -> None:
    answer = await office.get("ada", "/api/v1/whoami")

    assert (answer.status, answer.json["principal"]) == (200, "ada")


async def test_the_token_of_the_home_is_the_operators(office: Office) -> None:
    answer = await office.get("home", "/api/v1/whoami")

    assert (answer.json["principal"], answer.json["token"]) == ("operator", "home")


@pytest.mark.parametrize("path", ["status", "graph", "pipelines", "instances", "unheard-of"])
async def test_the_daemon_is_seen_by_who_may_view_it(office: Office, path: str) -> None:
    seen = await office.get("olga", f"/api/v1/{path}")
    unseen = await office.get("ada", f"/api/v1/{path}")
    foreign = await office.get("eve", f"/api/v1/{path}")

    assert seen.status == (404 if path == "unheard-of" else 200)
    assert (unseen.status, unseen.json["code"]) == (403, "denied")
    assert "no permit matched" in str(unseen.json["detail"])
    assert "guard.tenant" in str(foreign.json["detail"])


async def test_a_list_holds_what_its_reader_may_see(office: Office) -> None:
    for number in range(7):
        whose = ADA.key if number % 3 == 0 else "USOMEBODY"
        await office.served.desk.write(
            replace(a_run(f"e{number}", at=NOW + number), publisher=whose)
        )

    everything = await office.get("olga", "/api/v1/runs?limit=4")
    own = await office.get("ada", "/api/v1/runs?limit=2")
    rest = await office.get("ada", f"/api/v1/runs?limit=2&after={own.json['next']}")
    nothing = await office.get("vera", "/api/v1/runs")

    assert len(listed(everything)) == 4
    assert [each["event"]["publisher"] for each in listed(own)] == [ADA.key] * 2  # type: ignore[index]
    assert len(listed(rest)) == 1
    assert (nothing.status, listed(nothing)) == (200, [])


async def test_a_question_is_seen_by_who_may_see_its_run(office: Office) -> None:
    for number, key in enumerate((ADA.key, "USOMEBODY")):
        run = replace(a_run(f"e{number}", at=NOW + number), publisher=key)
        await office.served.desk.write(run)
        await office.served.desk.write(a_question(run))

    counts = [
        len(listed(await office.get(who, "/api/v1/checkpoints"), "checkpoints"))
        for who in ("olga", "ada", "vera")
    ]

    assert counts == [2, 1, 0]


def listed(answer: Answer, what: str = "runs") -> list[dict[str, object]]:
    found = answer.json[what]
    assert isinstance(found, list)
    return found


async def test_a_run_that_is_not_shown_is_not_there(office: Office) -> None:
    run = replace(a_run(), publisher=ADA.key)
    await office.served.desk.write(run)

    for path in ("", "/journal", "/plan", "/logs"):
        seen = await office.get("ada", f"/api/v1/runs/{run.id}{path}")
        unseen = await office.get("vera", f"/api/v1/runs/{run.id}{path}")
        unheard = await office.get("vera", f"/api/v1/runs/{'f' * 25}{path}")

        assert seen.status == 200
        assert (unseen.status, unseen.json["code"]) == (404, "unknown-run")
        assert unheard.json["code"] == unseen.json["code"]


async def test_who_published_an_event_reads_its_verdict(office: Office) -> None:
    verdict = a_verdict(sequence=5)
    await office.served.desk.write(replace(verdict, publisher=ADA.key))

    assert (await office.get("ada", "/api/v1/verdicts/5")).status == 200
    assert (await office.get("vera", "/api/v1/verdicts/5")).status == 404
    assert len(listed(await office.get("olga", "/api/v1/verdicts"), "verdicts")) == 1
    assert listed(await office.get("vera", "/api/v1/verdicts"), "verdicts") == []


async def test_a_command_is_the_principals_own(office: Office) -> None:
    run = replace(a_run(), publisher=ADA.key)
    await office.served.desk.write(run)

    answer = await office.post("ada", f"/api/v1/runs/{run.id}/cancel", {"reason": "oops"})

    assert answer.status == 202
    assert office.served.desk.operations.wishes == [("cancel", run.id, "ada", "oops")]


async def test_what_changes_the_daemon_needs_the_right_to_that(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "stratum_orchestrator.saga.ruling")
    reload = {who: await office.post(who, "/api/v1/reload", {}) for who in ("olga", "ada")}
    other = {who: await office.post(who, "/api/v1/anything", {}) for who in ("home", "olga")}

    assert (reload["olga"].status, reload["ada"].status) == (400, 403)
    assert (other["home"].status, other["olga"].status) == (404, 403)
    noted = [vars(each) for each in caplog.records if "policy_set" in vars(each)]
    assert [(each["message"], each["principal"], each["policies"]) for each in noted] == [
        ("command allowed", "olga", ("operators.daemon",)),
        ("command denied", "ada", ()),
        ("command allowed", "operator", ("admins.daemon",)),
        ("command denied", "olga", ()),
    ]
    assert all(str(each["policy_set"]).startswith("sha256:") for each in noted)


async def test_what_was_decided_is_on_record_before_it_is_answered(office: Office) -> None:
    run = replace(a_run(), publisher=ADA.key)
    await office.served.desk.write(run)

    await office.post("ada", "/api/v1/reload", {"reason": "I want to"})
    await office.post("olga", "/api/v1/reload", {"reason": "it has to be"})
    told = await office.get("olga", "/api/v1/decisions")

    assert [
        (each["principal"], each["action"], each["answer"], each["pipeline"], each["count"])
        for each in sorted(listed(told, "decisions"), key=lambda each: str(each["answer"]))
    ] == [("olga", "reload", "allowed", None, 1), ("ada", "reload", "denied", None, 1)]


async def test_looks_are_on_record_only_when_what_was_named_is_not_shown(
    office: Office,
) -> None:
    run = replace(a_run(), publisher=ADA.key)
    await office.served.desk.write(run, a_verdict(run))
    for path in ("/api/v1/runs", "/api/v1/verdicts", f"/api/v1/runs/{run.id}"):
        await office.get("ada", path)
        await office.get("vera", path)
    await office.get("vera", "/api/v1/decisions")
    await office.rulings.settle()

    told = await office.get("olga", "/api/v1/decisions?answer=denied")

    assert {
        (each["principal"], each["action"], each["run"]) for each in listed(told, "decisions")
    } == {("vera", "view", run.id), ("vera", "view", None)}


@pytest.mark.parametrize("digits", [25, 20])
async def test_what_somebody_wants_of_a_run_that_is_not_shown_is_on_record(
    office: Office, digits: int
) -> None:
    run = replace(a_run(), publisher=ADA.key)
    await office.served.desk.write(run)

    path = f"/api/v1/runs/{run.id[:digits]}/cancel"
    answer = await office.post("vera", path, {"reason": "I want to"})
    [kept] = listed(await office.get("olga", "/api/v1/decisions"), "decisions")

    assert (answer.status, answer.json["code"]) == (404, "unknown-run")
    assert (kept["action"], kept["answer"], kept["run"]) == ("cancel", "denied", run.id)
    assert kept["authorization"]["reason"] == "may not view it: no permit matched"  # type: ignore[index]


async def test_a_beginning_that_several_runs_share_names_none_of_them(office: Office) -> None:
    for number in range(3):
        run = replace(a_run(f"e{number}", at=NOW), publisher=ADA.key)
        await office.served.desk.write(run)

    await office.get("vera", f"/api/v1/runs/{run.id[:5]}")
    await office.rulings.settle()

    assert listed(await office.get("olga", "/api/v1/decisions"), "decisions") == []


async def test_a_hostile_client_cannot_fill_the_database(office: Office) -> None:
    for number in range(3 * DETAILED):
        run = a_run(f"e{number}", at=NOW + number)
        await office.served.desk.write(run)
        await office.get("vera", f"/api/v1/runs/{run.id}")
    await office.rulings.settle()

    kept = await office.served.desk.store.decisions(DecisionFilter(), after=None, limit=999)

    assert len(kept) <= DETAILED + 1


async def test_an_agent_sees_by_a_grant_what_its_user_sees(office: Office) -> None:
    run = replace(a_run(), pipeline="build", publisher=ADA.key, subject="events.go")
    await office.served.desk.write(run)
    path = f"/api/v1/runs/{run.id}"
    timely = granted(msgspec.structs.replace(GRANT, not_before=NOW - 1, expires=NOW + 1000))

    alone = await office.get("bot", path)
    presented = await office.get("bot", path, Stratum_Grant=timely)
    office.law.grants = Shelf(timely)
    stored = await office.get("bot", path)
    office.law.grants.revoked.add("g-1")
    revoked = await office.get("bot", path)

    assert [each.status for each in (alone, presented, stored, revoked)] == [404, 200, 200, 404]


async def test_a_token_ends_at_once(office: Office) -> None:
    assert (await office.get("ada", "/api/v1/whoami")).status == 200

    tokens.revoke(office.access.tokens, "ada")

    answer = await office.get("ada", "/api/v1/whoami")
    assert (answer.status, answer.json["code"]) == (401, "no-token")


async def test_an_expired_token_says_so(office: Office) -> None:
    _, office.tokens["late"] = tokens.add(office.access.tokens, "late", "ada", NOW - 9000, 9)

    answer = await office.get("late", "/api/v1/whoami")

    assert (answer.status, answer.json["code"]) == (401, "token-expired")


async def test_a_token_without_a_principal_says_so(office: Office) -> None:
    answer = await office.get("nobody", "/api/v1/whoami")

    assert (answer.status, answer.json["code"]) == (401, "no-principal")


async def test_a_disabled_principal_does_nothing_by_an_old_token(office: Office) -> None:
    office.law = office.law.but(msgspec.structs.replace(OLGA, active=False))

    answer = await office.get("olga", "/api/v1/status")

    assert answer.status == 403
    assert "guard.active" in str(answer.json["detail"])


async def test_nobody_is_let_in_by_tokens_that_cannot_be_read(office: Office) -> None:
    office.bearer("olga")
    office.access.tokens.file.write_text("{")

    answer = await office.get("olga", "/api/v1/whoami")
    home = await office.get("home", "/api/v1/whoami")

    assert (answer.status, answer.json["code"]) == (401, "no-tokens")
    assert home.status == 200


async def test_a_request_does_not_inherit_the_one_before(office: Office) -> None:
    await office.served.desk.write(a_run())
    await office.get("olga", "/api/v1/runs")

    answer = await office.served.get("/api/v1/runs", Authorization=None)

    assert answer.status == 401


@pytest.mark.parametrize("path", ["/metrics", "/readyz?verbose"])
async def test_metrics_and_reasons_can_be_reserved(tmp_path: Path, path: str) -> None:
    async with opened(tmp_path, is_reserved=True) as office:
        unknown = await office.served.get(path, Authorization=None)
        known = await office.get("olga", path)
        unfit = await office.get("ada", path)

        assert [each.status for each in (unknown, known, unfit)] == [401, 200, 403]
        assert (await office.served.get("/livez", Authorization=None)).status == 200
        assert (await office.served.get("/readyz", Authorization=None)).status == 200


async def test_decisions_are_explained_as_things_are_now(office: Office) -> None:
    asked = "/api/v1/authz?principal=ada&action=cancel&resource=build&publisher=ada"

    answer = await office.get("olga", asked)
    unknown = await office.get("olga", asked.replace("principal=ada", "principal=adda"))
    unfit = await office.get("ada", asked)

    assert (answer.status, answer.json["policies"]) == (200, ["owner.view-and-cancel"])
    assert (unknown.status, unknown.json["code"]) == (400, "bad-question")
    assert unfit.status == 403

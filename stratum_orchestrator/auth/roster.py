"""Principals as declared in Nickel, with what commands have changed since laid over them.

The declarations are a person's text and are never rewritten; the changes are a file of their
own beside the daemon's. What a change says wins, what it leaves out stays as declared.
"""

from collections.abc import Iterator, Sequence

import msgspec

from platform_nats.errors import InvalidKey
from platform_nats.nkey import check_public
from stratum_graph.diagnostics import Diagnostic
from stratum_graph.model import FurtherKey, Principal
from stratum_orchestrator.auth.register import Register

FILE = "principals.json"


class Change(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """What was changed about one principal, or all of one that was added."""

    name: str
    key: str | None = None
    kind: str | None = None
    tenant: str | None = None
    groups: tuple[str, ...] | None = None
    active: bool | None = None
    subjects: tuple[str, ...] | None = None
    keys: tuple[FurtherKey, ...] | None = None
    revoked: tuple[str, ...] | None = None

    @property
    def let_in(self) -> tuple[str, ...]:
        """The keys that it names of somebody who has access."""
        further = tuple(each.key for each in self.keys or ())
        named = (*((self.key,) if self.key else ()), *further)
        gone = self.revoked or ()
        return tuple(each for each in named if self.active is not False and each not in gone)

    def over(self, declared: Principal | None) -> Principal:
        """The principal as it is now; msgspec.ValidationError when that is none."""
        before = {} if declared is None else msgspec.to_builtins(declared)
        return msgspec.convert(before | msgspec.to_builtins(self), Principal)


class Roster(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that was changed by commands."""

    principals: tuple[Change, ...] = ()

    def of(self, name: str) -> Change | None:
        return next((each for each in self.principals if each.name == name), None)

    def merged(
        self, declared: Sequence[Principal], file: str
    ) -> tuple[tuple[Principal, ...], tuple[Diagnostic, ...]]:
        """Everybody, and what is wrong with them; then nobody is to be believed."""
        people = {each.name: each for each in declared}
        problems = []
        for change in self.principals:
            try:
                people[change.name] = change.over(people.get(change.name))
            except msgspec.ValidationError as error:
                message = f"principal `{change.name}`: {error}"
                problems.append(Diagnostic(file=file, message=message))
        named = tuple(people.values())
        return named, (*problems, *_faults(named, file))


def amend(register: Register[Roster], change: Change) -> None:
    """Lay a change over what was changed before."""
    with register.changing() as replace:
        known = register.read()
        before = known.of(change.name)
        said = msgspec.to_builtins(before) if before else {}
        merged = msgspec.convert(said | msgspec.to_builtins(change), Change)
        others = tuple(each for each in known.principals if each.name != change.name)
        replace(Roster(principals=(*others, merged)))


def _faults(people: Sequence[Principal], file: str) -> Iterator[Diagnostic]:
    owners: dict[str, str] = {}
    for each in people:
        for key in each.every_key:
            try:
                check_public(key)
            except InvalidKey as error:
                yield Diagnostic(file=file, message=f"a key of `{each.name}` is {error}")
            if owners.setdefault(key, each.name) != each.name:
                message = f"`{owners[key]}` and `{each.name}` have the same key"
                yield Diagnostic(file=file, message=message, hint="give each its own")

"""What Cedar is told about one request: who asks, on what, and what is known just then.

Each request gets its own small set of entities (the principal, its groups, the resource and
their tenants): its cost does not grow with the number of pipelines or principals.
"""

from collections.abc import Iterable, Mapping
from typing import Self

import msgspec

from stratum_graph.model import ActionNode, Principal
from stratum_orchestrator.auth.errors import UnusableContext

DECLARED: Mapping[str, type] = {
    "now": int,
    "signed": bool,
    "dry_run": bool,
    "subject": str,
    "version": str,
    "publisher": str,
    "publisher_for": str,
    "delegator": str,
    "delegate": str,
}
"""The keys of a context that reach Cedar, as in the schema. All are scalars, so that no
payload can smuggle in an entity (`{"__entity": …}`)."""

DAEMON = "stratum"
"""The one id of the type `Daemon`."""

Reference = Mapping[str, str]
Entity = Mapping[str, object]


class PipelineFacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What policies may know about a pipeline: its nodes' declarations taken together."""

    tenant: str = "default"
    labels: Mapping[str, str | tuple[str, ...]] = {}
    """By name; several values where nodes differ."""
    irreversible: bool = False
    """Some node's effect is `irreversible`."""
    credentials: bool = False
    """Some node is lent a credential."""

    @classmethod
    def of(cls, nodes: Iterable[ActionNode], *, tenant: str = "default") -> Self:
        """The facts of a pipeline with these nodes. No node's label hides another's."""
        known = tuple(nodes)
        names = {name for node in known for name in node.labels}
        return cls(
            tenant=tenant,
            labels={name: _values(name, known) for name in names},
            irreversible=any(node.effect == "irreversible" for node in known),
            credentials=any(node.credentials for node in known),
        )


def reference(kind: str, name: str) -> Reference:
    """How requests and parents name an entity. Data, never policy text: nothing to escape."""
    return {"type": f"Stratum::{kind}", "id": name}


def principal_reference(principal: Principal) -> Reference:
    return reference("Agent" if principal.kind == "agent" else "User", principal.name)


def principal_entities(principal: Principal) -> list[Entity]:
    """The principal, its groups and its tenant."""
    groups = [reference("Group", group) for group in sorted(set(principal.groups))]
    attributes = {
        "key": principal.key,
        "tenant": _attribute(reference("Tenant", principal.tenant)),
        "active": principal.active,
    }
    return [
        _entity(principal_reference(principal), attributes, groups),
        *(_entity(group) for group in groups),
    ]


def pipeline_entity(name: str, facts: PipelineFacts) -> Entity:
    attributes = {
        "tenant": _attribute(reference("Tenant", facts.tenant)),
        "labels": [
            f"{name}={value}"
            for name, values in facts.labels.items()
            for value in ((values,) if isinstance(values, str) else values)
        ],
        "irreversible": facts.irreversible,
        "credentials": facts.credentials,
    }
    return _entity(reference("Pipeline", name), attributes)


def daemon_entity(tenant: str) -> Entity:
    attributes = {"tenant": _attribute(reference("Tenant", tenant))}
    return _entity(reference("Daemon", DAEMON), attributes)


def declared(context: Mapping[str, object]) -> dict[str, object]:
    """The declared part of a context; UnusableContext where a value is of the wrong kind.

    Undeclared keys are left out, and so are declared ones that are None. Whether a required
    key is missing is for the schema to say.
    """
    known: dict[str, object] = {"dry_run": False}
    for key, wanted in DECLARED.items():
        value = context.get(key)
        if value is None:
            continue
        if type(value) is not wanted:  # a bool is an int to isinstance
            raise UnusableContext(key, wanted.__name__, value)
        known[key] = value
    return known


def _entity(
    uid: Reference,
    attributes: Mapping[str, object] | None = None,
    parents: list[Reference] | None = None,
) -> Entity:
    return {"uid": uid, "attrs": attributes or {}, "parents": parents or []}


def _attribute(uid: Reference) -> Mapping[str, Reference]:
    """An entity as the value of an attribute, in Cedar's JSON escape."""
    return {"__entity": uid}


def _values(label: str, nodes: Iterable[ActionNode]) -> tuple[str, ...]:
    return tuple(sorted({node.labels[label] for node in nodes if label in node.labels}))

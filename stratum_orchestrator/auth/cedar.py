"""The authorizer: an immutable set of Cedar policies, and no when in doubt.

Cedar skips a policy whose evaluation fails, so that a `forbid` with a fault in it would let
pass what it should stop. Here a request is allowed only when the decision is Allow and
nothing went wrong on the way.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import cedarpy

from stratum_graph.model import Principal
from stratum_orchestrator.auth import cases, entities, policy_files
from stratum_orchestrator.auth.entities import PipelineFacts
from stratum_orchestrator.auth.errors import BadPolicies, UnusableContext
from stratum_orchestrator.ports import Decision


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What one policy by itself says of a request."""

    policy: str
    effect: str
    """`permit` or `forbid`."""
    applies: bool
    error: str
    """Why it could not be evaluated: then the answer is no, whatever the others say."""
    place: str
    """File and line."""
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySet:
    """A snapshot of a folder of policies that parsed, validated and kept all its cases."""

    digest: str
    """`sha256:…` over schema and policies."""
    ids: tuple[str, ...]
    _policies: cedarpy.PolicySet
    _single: Mapping[str, policy_files.Single]
    _schema: cedarpy.Schema

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read `*.cedar`, the `*.cedarschema` and `cases.json`; BadPolicies names every fault.

        Blocks for some ten milliseconds.
        """
        files = policy_files.read(folder)
        loaded = cls(
            digest=files.digest,
            ids=files.ids,
            _policies=files.policies,
            _single=files.single,
            _schema=files.schema,
        )
        examples = cases.read(folder)
        authorizer = CedarAuthorizer(loaded, pipelines=examples.pipelines)
        if faults := list(examples.faults(authorizer)):
            raise BadPolicies(faults)
        return loaded

    def ask(
        self, request: Mapping[str, object], about: Sequence[entities.Entity]
    ) -> cedarpy.AuthzResult:
        """Cedar's answer; ValueError when the entities do not fit the schema."""
        known = cedarpy.Entities.from_json_str(json.dumps(about), self._schema)
        return cedarpy.is_authorized(dict(request), self._policies, known, self._schema)

    def opinions(
        self, request: Mapping[str, object], about: Sequence[entities.Entity]
    ) -> Iterator[Opinion]:
        """What each policy by itself says; ValueError as above."""
        known = cedarpy.Entities.from_json_str(json.dumps(about), self._schema)
        for name in self.ids:
            one = self._single[name]
            said = cedarpy.is_authorized(dict(request), one.policies, known, self._schema)
            errors = said.diagnostics.errors
            yield Opinion(
                policy=name,
                effect=one.effect,
                applies=bool(said.diagnostics.reasons),
                error=str(errors[0]) if errors else "",
                place=f"{one.file}:{one.line}",
                text=one.text,
            )


@dataclass(frozen=True, slots=True)
class CedarAuthorizer:
    """Decides by one set of policies over the pipelines of one generation."""

    policies: PolicySet
    pipelines: Mapping[str, PipelineFacts] = field(default_factory=dict, kw_only=True)
    home: str = field(default="default", kw_only=True)
    """The tenant of the daemon itself, and of runs whose pipeline is no longer defined."""

    def use(self, pipelines: Mapping[str, PipelineFacts]) -> Self:
        """The same policies over the pipelines of another generation."""
        return replace(self, pipelines=dict(pipelines))

    def decide(
        self,
        principal: Principal,
        action: str,
        pipeline: str,
        context: Mapping[str, object],
    ) -> Decision:
        """Allow or deny, with the ids of the deciding policies; never raises.

        The empty pipeline name means the daemon itself. Of the context only the keys in
        `entities.DECLARED` count: `now` (seconds since 1970) and `signed` are required,
        the others are optional and described in the schema.
        """
        if action == "trigger" and pipeline not in self.pipelines:
            return self._denied(f"there is no pipeline `{pipeline}`")
        try:
            answer = self._ask(principal, action, pipeline, context)
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the answer is no
            return self._denied(f"evaluation error: {error}", errors=(str(error),))
        return self._decision(answer)

    def opinions(
        self,
        principal: Principal,
        action: str,
        pipeline: str,
        context: Mapping[str, object],
    ) -> tuple[Opinion, ...]:
        """What each policy says; none when the question is out of shape."""
        try:
            asked = self._asked(principal, action, pipeline, context)
            return tuple(self.policies.opinions(*asked))
        except (ValueError, UnusableContext):
            return ()

    def _ask(
        self,
        principal: Principal,
        action: str,
        pipeline: str,
        context: Mapping[str, object],
    ) -> cedarpy.AuthzResult:
        return self.policies.ask(*self._asked(principal, action, pipeline, context))

    def _asked(
        self,
        principal: Principal,
        action: str,
        pipeline: str,
        context: Mapping[str, object],
    ) -> tuple[Mapping[str, object], Sequence[entities.Entity]]:
        resource = self._resource(pipeline)
        request = {
            "principal": entities.principal_reference(principal),
            "action": entities.reference("Action", action),
            "resource": resource["uid"],
            "context": entities.declared(context),
        }
        return request, [*entities.principal_entities(principal), resource]

    def _resource(self, pipeline: str) -> entities.Entity:
        if not pipeline:
            return entities.daemon_entity(self.home)
        facts = self.pipelines.get(pipeline) or PipelineFacts(tenant=self.home)
        return entities.pipeline_entity(pipeline, facts)

    def _decision(self, answer: cedarpy.AuthzResult) -> Decision:
        matched = tuple(sorted(answer.diagnostics.reasons))
        errors = tuple(answer.diagnostics.errors)
        allowed = answer.decision is cedarpy.Decision.Allow
        if errors and (allowed or not matched):  # a permit counts for nothing beside an error
            return self._denied(f"evaluation error: {errors[0]}", errors=errors)
        if not matched:
            return self._denied("no permit matched")
        verb = "permitted" if allowed else "forbidden"
        return Decision(
            allowed=allowed,
            policies=matched,
            errors=errors,
            policy_set=self.policies.digest,
            reason=f"{verb} by {', '.join(matched)}",
        )

    def _denied(self, reason: str, errors: tuple[str, ...] = ()) -> Decision:
        return Decision(
            allowed=False,
            policies=(),
            errors=errors,
            policy_set=self.policies.digest,
            reason=reason,
        )

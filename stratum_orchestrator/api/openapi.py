"""`/openapi.json`: the API for programs that read such documents, made of the shapes.

A test holds the catalog against the routes, so that nothing is left out.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import msgspec

from stratum_orchestrator.api import shapes
from stratum_orchestrator.api.emission import Envelope, Letter
from stratum_orchestrator.api.question import MAX_PAGE, MAX_SEARCH, MAX_WAIT_S
from stratum_state.decision import Answer
from stratum_state.model import RunStatus, VerdictKind

Json = dict[str, object]
Kept = Mapping[str, object]

_TEXT: Kept = {"type": "string"}
_CURSOR: Kept = {"type": "string", "pattern": "^[0-9a-f]{1,64}$"}
_DIGEST: Kept = {"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"}
_WHOLE: Kept = {"type": "integer", "minimum": 0, "maximum": 10**15 - 1}
_PARAMETERS: Mapping[str, tuple[str, Kept]] = {
    "after": ("The `next` of the page before.", _CURSOR),
    "limit": ("How many.", {"type": "integer", "minimum": 1, "maximum": MAX_PAGE}),
    "status": ("Where the run is.", {"enum": [str(each) for each in RunStatus]}),
    "pipeline": ("Its pipeline.", _TEXT),
    "publisher": ("Its publisher's public key.", _TEXT),
    "since": ("Stored then or later, ISO 8601.", _TEXT),
    "until": ("Stored before that, ISO 8601.", _TEXT),
    "text": ("Found in what is said of it.", {"type": "string", "maxLength": MAX_SEARCH}),
    "live": ("Only what is not over.", {"enum": ["true", "false"]}),
    "attention": ("Only what needs a person; no other filter.", {"enum": ["true"]}),
    "kind": ("The verdict.", {"enum": [str(each) for each in VerdictKind]}),
    "answer": ("What the policies said.", {"enum": [str(each) for each in Answer]}),
    "wait": (
        "Seconds to wait for a change.",
        {"type": "number", "minimum": 0, "maximum": MAX_WAIT_S},
    ),
    "seen": ("The `change` that is known already.", _WHOLE),
    "from": ("The digest of the one bundle.", _DIGEST),
    "to": ("The digest of the other.", _DIGEST),
    "node": ("Of one node.", _TEXT),
    "run": ("Of one run.", {"type": "string", "pattern": "^[0-9a-f]{1,25}$"}),
    "principal": ("Who.", _TEXT),
    "action": ("What is to be done.", _TEXT),
    "resource": ("To which pipeline.", _TEXT),
    "grant": ("The grant that is shown.", _TEXT),
    "name": ("Of a pipeline.", _TEXT),
    "sequence": ("In the event stream.", _WHOLE),
}
_FILTERS = ("status", "pipeline", "publisher", "since", "until", "text", "live", "attention")
_PAGES = ("after", "limit")
_RUN = "/api/v1/runs/{run}"
_PIPELINE = "/api/v1/pipelines/{name}"
_UNDO = f"{_RUN}/compensations/{{node}}"
_ASKED = f"{_RUN}/checkpoints/{{node}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What one path does."""

    says: str
    gives: type | None
    """None: a stream of events."""
    asks: tuple[str, ...] = ()
    takes: type | None = None
    fails: tuple[int, ...] = ()
    """Beside what may always happen."""

    @property
    def good(self) -> int:
        return 202 if self.takes else 200


def _read(says: str, gives: type, *asks: str, fails: tuple[int, ...] = ()) -> Operation:
    return Operation(says=says, gives=gives, asks=asks, fails=fails)


def _command(says: str, takes: type = shapes.Wish, gives: type = shapes.Obeyed) -> Operation:
    fails = (404, 408, 409, 413, 415, 422)
    return Operation(says=says, gives=gives, takes=takes, fails=fails)


Method = Literal["GET", "POST"]
_OF_RUN = (404, 409)
CATALOG: Mapping[tuple[Method, str], Operation] = {
    ("GET", "/api/v1/status"): _read("The daemon at a glance.", shapes.Status),
    ("GET", "/api/v1/whoami"): _read("As whom the token acts.", shapes.Visitor),
    ("GET", "/api/v1/graph"): _read("Nodes, and which feeds which.", shapes.Graph),
    ("GET", "/api/v1/pipelines"): _read("What can be triggered.", shapes.Pipelines),
    ("GET", "/api/v1/instances"): _read("Who shares the database.", shapes.Instances),
    ("GET", "/api/v1/runs"): _read("Runs, newest first.", shapes.Runs, *_FILTERS, *_PAGES),
    ("GET", _RUN): _read("One run, whole.", shapes.Run, "wait", "seen", fails=_OF_RUN),
    ("GET", f"{_RUN}/plan"): _read("Its plan.", shapes.Plan, fails=_OF_RUN),
    ("GET", f"{_RUN}/nodes/{{node}}"): _read("A node.", shapes.NodeOfRun, fails=_OF_RUN),
    ("GET", f"{_RUN}/logs"): _read("Its logs.", shapes.Logs, "node", fails=_OF_RUN),
    ("GET", f"{_RUN}/journal"): _read("Its audit.", shapes.Journal, fails=_OF_RUN),
    ("GET", f"{_RUN}/evidence"): _read("All of it.", shapes.Evidence, fails=_OF_RUN),
    ("GET", "/api/v1/checkpoints"): _read(
        "What people are asked now.", shapes.Checkpoints, *_PAGES
    ),
    ("GET", "/api/v1/generations"): _read("Graphs, and who holds them.", shapes.Generations),
    ("GET", "/api/v1/versions"): _read("Bundles that were in force.", shapes.Versions),
    ("GET", "/api/v1/versions/difference"): _read(
        "What differs between two bundles.", shapes.Difference, "from", "to", fails=(409,)
    ),
    ("GET", "/api/v1/activations"): _read("What came into force.", shapes.History),
    ("GET", "/api/v1/authz"): _read(
        "Why somebody may, or not.", shapes.Open, "principal", "action", "resource", "grant"
    ),
    ("GET", "/api/v1/verdicts"): _read(
        "What became of events, newest first.", shapes.Verdicts, "kind", "text", *_PAGES
    ),
    ("GET", "/api/v1/verdicts/{sequence}"): _read(
        "What became of one event.", shapes.Verdict, "wait", fails=(404,)
    ),
    ("GET", "/api/v1/decisions"): _read(
        "What the policies said to commands, newest first.",
        shapes.Decisions,
        *("answer", "principal", "action"),
        *_PAGES,
    ),
    ("GET", "/api/v1/events"): Operation(
        says="What changes, as it happens.", gives=None, asks=("run",), fails=_OF_RUN
    ),
    ("POST", "/api/v1/events"): Operation(
        says="Pass on a signed event.",
        gives=shapes.Stored,
        takes=Envelope,
        fails=(408, 409, 413, 415, 422),
    ),
    ("POST", "/api/v1/emit"): Operation(
        says="Sign an event as the token's principal.",
        gives=shapes.Stored,
        takes=Letter,
        fails=(408, 409, 413, 415, 422),
    ),
    ("POST", "/api/v1/activate"): _command(
        "Bring a bundle into force.", shapes.ActivationWish, shapes.Activation
    ),
    ("POST", "/api/v1/rollback"): _command(
        "Bring back what was before.", gives=shapes.Activation
    ),
    ("POST", "/api/v1/reload"): _command("Read definitions now.", gives=shapes.Reload),
    ("POST", f"{_PIPELINE}/pause"): _command("Let its runs wait.", gives=shapes.Standing),
    ("POST", f"{_PIPELINE}/disable"): _command("Refuse its events.", gives=shapes.Standing),
    ("POST", f"{_PIPELINE}/resume"): _command("Let its runs go.", gives=shapes.Standing),
    ("POST", f"{_RUN}/cancel"): _command("Turn it back."),
    ("POST", f"{_RUN}/abandon"): _command("End it and undo nothing."),
    ("POST", f"{_RUN}/retry"): _command("Take it up again.", shapes.RetryWish),
    ("POST", f"{_UNDO}/retry"): _command("Try a compensation again."),
    ("POST", f"{_UNDO}/waive"): _command("Accept that it was not undone."),
    ("POST", f"{_ASKED}/approve"): _command("Let a node begin.", shapes.Approval),
    ("POST", f"{_ASKED}/reject"): _command("Turn it back instead."),
}
_ALWAYS = (400, 401, 403, 421, 429, 500, 503)


def document(version: str) -> Json:
    """The whole document."""
    kinds = {shapes.Problem} | {
        kind for each in CATALOG.values() for kind in (each.gives, each.takes) if kind
    }
    ordered = sorted(kinds, key=lambda kind: kind.__name__)
    _, components = msgspec.json.schema_components(
        ordered, ref_template="#/components/schemas/{name}"
    )
    paths: dict[str, Json] = {}
    for (method, path), operation in CATALOG.items():
        paths.setdefault(path, {})[method.lower()] = _operation(path, operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Stratum", "version": version},
        "paths": paths,
        "security": [{"token": []}],
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(path: str, operation: Operation) -> Json:
    told: Json = {
        "summary": operation.says,
        "parameters": list(_parameters(path, operation)),
        "responses": {
            str(operation.good): _good(operation),
            **{str(each): _problem() for each in sorted({*_ALWAYS, *operation.fails})},
        },
    }
    if operation.takes:
        told["requestBody"] = {"required": True, "content": _json(operation.takes)}
    return told


def _parameters(path: str, operation: Operation) -> Iterator[Json]:
    for name in re.findall(r"{(\w+)}", path):
        says, schema = _PARAMETERS[name]
        yield _parameter(name, "path", says, schema)
    for name in operation.asks:
        says, schema = _PARAMETERS[name]
        yield _parameter(name, "query", says, schema)
    if operation.takes:
        key = {"type": "string", "pattern": "^[!-~]{1,128}$"}
        yield _parameter("Idempotency-Key", "header", "Said twice, it is done once.", key)


def _parameter(name: str, place: str, says: str, schema: Kept) -> Json:
    told: Json = {"name": name, "in": place, "description": says, "schema": dict(schema)}
    is_needed = place == "path" or schema is _DIGEST
    return told | ({"required": True} if is_needed else {})


def _good(operation: Operation) -> Json:
    if operation.gives is None:
        return {
            "description": operation.says,
            "content": {"text/event-stream": {"schema": dict(_TEXT)}},
        }
    return {"description": operation.says, "content": _json(operation.gives)}


def _problem() -> Json:
    return {
        "description": "What stands in the way.",
        "content": {"application/problem+json": {"schema": _reference(shapes.Problem)}},
    }


def _json(kind: type) -> Json:
    return {"application/json": {"schema": _reference(kind)}}


def _reference(kind: type) -> Json:
    return {"$ref": f"#/components/schemas/{kind.__name__}"}

"""The contracts in `ncl/`: what each accepts, what it becomes, what it refuses."""

from collections.abc import Mapping
from pathlib import Path

import anyio
import msgspec
import pytest

from stratum_graph.definitions import workers
from stratum_graph.definitions.workers import Failed, Job
from stratum_graph.model import ActionNode, Compensate, Limits, Retry
from support.definitions import LIBRARY, LOW_LIMITS, node

ACCEPTED = {
    '["b", \'a] | t.SomeOf ["a", "b"] ["a"]': ["b", "a"],
    '["a"] | t.SomeOf ["a", "b"] ["a"]': ["a"],
    '"30s" | t.Duration': 30,
    '"1h30m" | t.Duration': 5400,
    '"500ms" | t.Duration': 0.5,
    "90 | t.Duration": 90,
    '("5m" | t.Duration) | t.Duration': 300,
    '"0s" | t.Delay': 0,
    '"16MiB" | t.Bytes': 16 << 20,
    '("1KiB" | t.Bytes) | t.Bytes': 1024,
    '\'exit | t.OneOf ["exit"]': "exit",
    '"exit" | t.OneOf ["exit"]': "exit",
    '"/opt/a..b/c" | t.AbsolutePath': "/opt/a..b/c",
    '"inputs.source.path" | t.Place': "inputs.source.path",
    '"events.*.x.>" | t.Subject': "events.*.x.>",
    '">" | t.Subject': ">",
    '"nats://host" | t.Url ["nats"]': "nats://host",
    '"1.2.3-rc.1" | t.Version': "1.2.3-rc.1",
    "s.object { a = s.string, b = s.maybe s.nat }": {
        "type": "object",
        "properties": {"a": {"type": "string"}, "b": {"type": "integer", "minimum": 0}},
        "required": ["a"],
        "additionalProperties": False,
    },
    "s.nullable (s.one_of [1, 2]) | s.Schema": {"anyOf": [{"enum": [1, 2]}, {"type": "null"}]},
    'w.all [w.eq "event.a" 1, w.negate (w.exists "event.b")]': {
        "op": "all",
        "of": [
            {"op": "eq", "path": "event.a", "value": 1},
            {"op": "not", "of": [{"op": "exists", "path": "event.b"}]},
        ],
    },
}
REFUSED = {
    "0 | t.Duration": "above zero",
    '"30 s" | t.Duration': "expected a duration",
    '"-1s" | t.Delay': "expected a duration",
    '"1.5MiB" | t.Bytes': "expected a size",
    "1.5 | t.Bytes": "whole number",
    '"Exit" | t.OneOf ["exit"]': "expected one of exit",
    '"/opt/../etc" | t.AbsolutePath': "without `..`",
    '"opt" | t.AbsolutePath': "an absolute path",
    '"inputs.source" | t.Place': "an absolute path such as",
    '"events.>.x" | t.Subject': "not a subject",
    '"a..b" | t.Subject': "not a subject",
    '"lint_crate" | t.NodeName': "kebab-case",
    '"../../x" | t.NodeName': "kebab-case",
    '"a;rm -rf" | t.NodeName': "kebab-case",
    '"l\u0456nt" | t.NodeName': "kebab-case",
    '"a\nb" | t.NodeName': "kebab-case",
    f'"{"a" * 300}" | t.NodeName': "at most 63 characters",
    f'"{"a" * 300}" | t.CapabilityName': "at most 127 characters",
    '"../../bin/x.nu" | t.ScriptPath': "not a relative path",
    '"/bin/x.nu" | t.ScriptPath': "not a relative path",
    '"a/../../x.nu" | t.ScriptPath': "not a relative path",
    '["a", "a"] | t.Unique': "twice",
    '["b", "b"] | t.SomeOf ["a", "b"] ["a"]': "twice",
    '["a", "c"] | t.SomeOf ["a", "b"] ["a"]': "expected one of a, b",
    '"a" | t.SomeOf ["a", "b"] ["a"]': "expected an array",
    '{ STRATUM_RUN = "" } | t.Environment': "set by Stratum",
    "{ a = { typ = 1 } } | { _ | s.Schema }": "unknown key `typ`",
    "s.object { a = { items = { typ = 1 } } } | s.Schema": "unknown key `typ`",
    "s.array (s.maybe s.string) | s.Schema": "`maybe` marks a field",
    '{ name = "a", schema = s.maybe s.string } | stratum.Capability': "`maybe` marks a field",
}

ITSELF = '{ name = "a", env = "A", engine = "token" }'
CREDENTIALS = {
    '{ name = "a", env = "A", path = "kv/a" }': "no `field`, which the engine 'kv needs",
    '{ name = "a", env = "A", field = "x" }': "no `path`, which the engine 'kv needs",
    '{ name = "a", env = "A", path = "a", field = "x" }': "a path in the vault",
    '{ name = "a", env = "a", path = "kv/a", field = "x" }': "name of an environment variable",
    '{ name = "a", env = "A", engine = "consul" }': "expected one of kv, dynamic, token",
    '{ name = "a", env = "STRATUM_A", engine = "token" }': "`STRATUM_...` are",
    '{ name = "a", env = "A", engine = "token", ttl = "1h" }': "only the engine 'dynamic knows",
    f"{ITSELF}, {ITSELF}": "two `credentials` have the same `name`, `a`",
    '{ name = "a", env = "A", engine = \'dynamic, path = "d/a", field = "p", ttl = "1m" }': (
        "may end before its step"
    ),
}


def units(texts: Mapping[str, object]) -> dict[str, str]:
    start = (
        'let stratum = (import "stratum.ncl") & '
        '{ Capability = (import "node.ncl").Capability } in '
        "let t = stratum.types in let s = stratum.schema in let w = stratum.when in "
    )
    return {str(number): start + text for number, text in enumerate(texts)}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, object]:
    """By expression: what it comes to."""
    texts = [*ACCEPTED, *REFUSED]
    jail = tmp_path_factory.mktemp("jail")
    for file in LIBRARY.glob("*.ncl"):
        (jail / file.name).write_bytes(file.read_bytes())
    job = Job(units=units(dict.fromkeys(texts)), jail=jail, paths=[jail], limits=LOW_LIMITS)
    found = anyio.run(workers.evaluate, job)
    return {text: found[str(number)] for number, text in enumerate(texts)}


@pytest.mark.parametrize("text", ACCEPTED)
def test_a_value_comes_out_in_its_normal_form(
    outcomes: Mapping[str, object], text: str
) -> None:
    assert outcomes[text] == ACCEPTED[text]


@pytest.mark.parametrize("text", REFUSED)
def test_a_wrong_value_is_refused_in_plain_words(
    outcomes: Mapping[str, object], text: str
) -> None:
    found = outcomes[text]

    assert isinstance(found, Failed)
    assert REFUSED[text] in found.error


def test_the_contract_and_the_model_have_the_same_defaults(tmp_path: Path) -> None:
    for file in LIBRARY.glob("*.ncl"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    text = node("lint", 'compensate.script = "undo.nu",')
    unit = f'({text}) | (import "node.ncl").ActionNode'
    job = Job(units={"node": unit}, jail=tmp_path, paths=[tmp_path], limits=LOW_LIMITS)

    found = msgspec.convert(anyio.run(workers.evaluate, job)["node"], ActionNode)

    assert found.trigger is not None
    assert found == ActionNode(
        schema="stratum/v1",
        name="lint",
        trigger=found.trigger,
        handler=found.handler,
        compensate=Compensate(script="undo.nu"),
    )
    assert (found.handler.limits, found.retry) == (Limits(), Retry())


@pytest.mark.parametrize("text", CREDENTIALS)
def test_a_credential_that_cannot_be_lent_is_refused(tmp_path: Path, text: str) -> None:
    for file in LIBRARY.glob("*.ncl"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    declared = node("lint", f"credentials = [{text}],")
    unit = f'({declared}) | (import "node.ncl").ActionNode'
    job = Job(units={"node": unit}, jail=tmp_path, paths=[tmp_path], limits=LOW_LIMITS)

    found = anyio.run(workers.evaluate, job)["node"]

    assert isinstance(found, Failed)
    assert CREDENTIALS[text] in found.error

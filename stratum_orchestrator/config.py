"""Settings: grouped by service, units in the docs of `ncl/config.ncl`, read in one place.

What wins: a flag, then an environment variable `STRATUM_SECTION__FIELD`, then the project's
`stratum.ncl`, then the default. The contract judges all of them alike. Nothing else in the
program reads the environment.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Literal, get_type_hints

import msgspec
from msgspec import Struct

from stratum_graph.definitions import plain_file
from stratum_graph.definitions.nickel import Material, evaluate
from stratum_graph.definitions.snapshot import MAX_SOURCE
from stratum_graph.diagnostics import Diagnostic

FILE = "stratum.ncl"
_PREFIX = "STRATUM_"


class Instance(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The daemon itself. Times in seconds."""

    name: str = "stratum"
    patience: float = 30


class SurrealDB(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where runs, verdicts and journals are kept."""

    url: str = ""
    user: str = ""
    password_file: str = ""
    namespace: str = "stratum"
    database: str = "orchestrator"


class Nats(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How events arrive. Times in seconds, sizes in bytes."""

    url: str = ""
    port: int = 0
    seed_file: str = ""
    creds_file: str = ""
    audience: str = "stratum"
    subjects: tuple[str, ...] = ("events.>",)
    replicas: Literal[1, 3, 5] = 1
    duplicate_window: float = 600
    freshness: float = 300
    event_size: int = 262144
    stream_size: int = 2 << 30
    ack_wait: float = 30


class Definitions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where nodes and principals are declared."""

    folders: tuple[str, ...] = ("nodes",)
    library: str = ""
    content: str = ""
    principals: str = ""
    source: str = ""
    trust: Literal["signature", "digest"] = "signature"
    signers: tuple[str, ...] = ()
    repository: str = ""
    provenance: Literal["optional", "required"] = "optional"
    cache: str = ""
    keep: int = 10
    follow: Literal["offer", "activate"] = "offer"
    look: float = 300


class Registry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the registry of a bundle is reached. Times in seconds."""

    user: str = ""
    password_file: str = ""
    ca_file: str = ""
    plain_http: bool = False
    timeout: float = 30


class ScriptCredential(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a `source.auth` names, and the hosts that it is shown to."""

    name: str
    hosts: tuple[str, ...]
    user: str = ""
    secret_file: str


class Scripts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the scripts may come from that definitions name by a `uri`."""

    hosts: tuple[str, ...] = ()
    ca_file: str = ""
    credentials: tuple[ScriptCredential, ...] = ()


class Policies(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who has access, and what they may do."""

    folder: str = ""
    access: str = ""


class Runs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits of runs. Times in seconds."""

    capacity: int = 0
    takeover: float = 15
    limit: float = 86400
    grace: float = 10
    depth: int = 8
    publish: Literal["heard", "always"] = "heard"


class Retention(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long records are kept. Times in seconds."""

    age: float = 30 * 86400
    every: float = 3600
    waste: int = 64 << 20
    """Bytes."""


class Execution(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How steps are run. Times in seconds."""

    nu: str = ""
    parallel: int = 0
    level: Literal["auto", "limits", "landlock", "bubblewrap"] = "auto"
    grace: float = 5
    path: tuple[str, ...] = ("/usr/local/bin", "/usr/bin", "/bin")
    execute: tuple[str, ...] = ()


class Credentials(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who lends values to steps. Times in seconds."""

    provider: Literal["auto", "none", "vault", "openbao-dev", "dev-file"] = "auto"
    url: str = ""
    namespace: str = ""
    ca_file: str = ""
    login: Literal["approle", "jwt", "token"] = "approle"
    mount: str = ""
    role: str = ""
    secret_file: str = ""
    wrapped: bool = False
    role_prefix: str = "stratum-node-"
    timeout: float = 5
    grace: float = 10
    values_file: str = ""


class Http(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The API, the metrics and the health checks."""

    host: str = "127.0.0.1"
    port: int = 8420
    hosts: tuple[str, ...] = ()
    metrics: Literal["open", "token"] = "open"


class Telemetry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which traces are sent, and where to."""

    traces: Literal["auto", "on", "off"] = "auto"
    endpoint: str = ""


class Log(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the daemon says on stderr."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "human", "json"] = "auto"


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that can be chosen."""

    instance: Instance = Instance()
    surrealdb: SurrealDB = SurrealDB()
    nats: Nats = Nats()
    definitions: Definitions = Definitions()
    registry: Registry = Registry()
    scripts: Scripts = Scripts()
    policies: Policies = Policies()
    runs: Runs = Runs()
    retention: Retention = Retention()
    execution: Execution = Execution()
    credentials: Credentials = Credentials()
    http: Http = Http()
    telemetry: Telemetry = Telemetry()
    log: Log = Log()


class BadConfig(Exception):
    """The configuration cannot be used."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        super().__init__("\n".join(str(each) for each in diagnostics))
        self.diagnostics = tuple(diagnostics)


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """The settings in effect, and where each came from."""

    settings: Settings
    origins: Mapping[str, str]
    """Dotted field to `default`, the file, the variable or `command line`."""


def environment() -> Mapping[str, str]:
    """The daemon's own environment."""
    return dict(os.environ)


def library() -> Path:
    """The Nickel library that came with this version."""
    return _shipped("ncl")


def policies() -> Path:
    """The policies that came with this version."""
    return _shipped("policies")


def nodes() -> Path:
    """The example nodes that came with this version."""
    return _shipped("nodes")


def root() -> Path:
    """The folder that this program's packages lie in."""
    return Path(__file__).parent.parent


def fields() -> Mapping[str, type]:
    """Every dotted field, and its type."""
    return {
        f"{section}.{name}": kind
        for section, group in get_type_hints(Settings).items()
        for name, kind in get_type_hints(group).items()
    }


async def load(
    project: Path,
    variables: Mapping[str, str],
    flags: Mapping[str, object],
    file: Path | None = None,
) -> Configuration:
    """The configuration of a project folder; `file` replaces its `stratum.ncl`.

    BadConfig names each mistake with its place. Evaluates Nickel only when there is something
    to evaluate.
    """
    named = file or project / FILE
    chosen = _from_environment(variables)
    overrides = {field: value for field, (_, value) in chosen.items()} | dict(flags)
    if file is None and not named.is_file() and not overrides:
        return Configuration(settings=Settings(), origins=dict.fromkeys(fields(), "default"))
    source = _read(named, required=file is not None)
    settings = await _evaluate(named, source, overrides, chosen)
    said = await _evaluate(named, source, {}, {}) if source else Settings()
    origins = {
        field: _origin(field, flags, chosen, said, str(named) if source else "")
        for field in fields()
    }
    return Configuration(settings=settings, origins=origins)


def value_of(settings: Settings, field: str) -> object:
    """The value of a dotted field."""
    section, _, name = field.partition(".")
    return getattr(getattr(settings, section), name)


def _read(file: Path, *, required: bool) -> bytes:
    if not required and not file.is_file():
        return b""
    try:
        return plain_file.read(file, MAX_SOURCE)
    except OSError as why:
        problem = Diagnostic(file=str(file), message=f"cannot be read: {why.strerror}")
        raise BadConfig([problem]) from why


async def _evaluate(
    named: Path,
    source: bytes,
    overrides: Mapping[str, object],
    chosen: Mapping[str, tuple[str, object]],
) -> Settings:
    files = {path.name: path.read_bytes() for path in sorted(library().glob("*.ncl"))}
    material = Material(files={FILE: source or b"{}"}, library=files, overrides=overrides)
    evaluated = (await evaluate(material, {FILE: "config"}))[FILE]
    if evaluated.diagnostics:
        where = f"{named}" if source else ", ".join(name for name, _ in chosen.values())
        found = [
            msgspec.structs.replace(each, file=where or "command line")
            for each in evaluated.diagnostics
        ]
        raise BadConfig(found)
    return msgspec.convert(evaluated.value, Settings)


def _from_environment(variables: Mapping[str, str]) -> dict[str, tuple[str, object]]:
    """Dotted field to the variable that sets it and its value."""
    known = fields()
    found: dict[str, tuple[str, object]] = {}
    problems = []
    for name, text in sorted(variables.items()):
        if not name.startswith(_PREFIX) or "__" not in name:
            continue
        field = name.removeprefix(_PREFIX).lower().replace("__", ".", 1)
        if field in known:
            found[field] = (name, _parse(text, known[field]))
            continue
        near = get_close_matches(field, list(known), n=1)
        hint = f"did you mean {variable(near[0])}?" if near else "see docs/configuration.md"
        problems.append(Diagnostic(file=name, message="no such setting", hint=hint))
    if problems:
        raise BadConfig(problems)
    return found


def variable(field: str) -> str:
    """The environment variable of a dotted field."""
    return _PREFIX + field.upper().replace(".", "__")


def _parse(text: str, kind: type) -> object:
    if kind is str:
        return text
    try:
        parsed: object = msgspec.json.decode(text)
    except msgspec.DecodeError:
        parsed = text
    is_list = str(kind).startswith("tuple")
    return text.split(",") if is_list and not isinstance(parsed, list) else parsed


def _origin(
    field: str,
    flags: Mapping[str, object],
    chosen: Mapping[str, tuple[str, object]],
    said: Settings,
    file: str,
) -> str:
    if field in flags:
        return "command line"
    if field in chosen:
        return chosen[field][0]
    return "default" if value_of(said, field) == value_of(Settings(), field) else file


def _shipped(name: str) -> Path:
    package = Path(__file__).parent
    installed = package / "shipped" / name
    return installed if installed.is_dir() else package.parent / name

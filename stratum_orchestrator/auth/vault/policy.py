"""The least rights that a graph needs at a vault: a role and a policy for each node. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from stratum_graph.model import ActionNode, Credential

OWN = "stratum-orchestrator"
"""What our own policy is called."""


class Role(NamedTuple):
    """A token role with the policy of the same name."""

    name: str
    node: str
    rights: Mapping[str, str]
    """Path to the one capability that is needed there."""
    longest_s: int
    """The longest life of its tokens."""

    def settings(self) -> Mapping[str, object]:
        """What is written to `auth/token/roles/…`."""
        return {
            "allowed_policies": [self.name],
            "orphan": False,
            "renewable": False,
            "token_explicit_max_ttl": f"{self.longest_s}s",
            "token_no_default_policy": True,
            "token_type": "service",
        }


def roles(nodes: Iterable[ActionNode], prefix: str, grace_s: float) -> Sequence[Role]:
    """One for each node that declares credentials, by name."""
    return [
        Role(
            name=f"{prefix}{node.name}",
            node=node.name,
            rights=rights(node.credentials),
            longest_s=round(longest_s(node) + grace_s),
        )
        for node in sorted(nodes, key=lambda each: each.name)
        if node.credentials
    ]


def longest_s(node: ActionNode) -> float:
    """How long a process of the node may run at most."""
    return max(node.timeout, node.compensate.timeout if node.compensate else 0)


def rights(credentials: Iterable[Credential]) -> Mapping[str, str]:
    """Path to capability, by path."""
    return dict(sorted(_rights(credentials)))


def own_rights(prefix: str) -> Mapping[str, str]:
    """What we need ourselves: to give node tokens and to end them, and to read nothing."""
    return {
        f"auth/token/create/{prefix}*": "update",
        "auth/token/lookup-self": "read",
        "auth/token/renew-self": "update",
        "auth/token/revoke-accessor": "update",
        "auth/token/revoke-self": "update",
        "sys/leases/renew": "update",
    }


def hcl(rights: Mapping[str, str]) -> str:
    """The policy that gives these rights."""
    return "".join(
        f'path "{path}" {{\n  capabilities = ["{capability}"]\n}}\n'
        for path, capability in rights.items()
    )


def commands(found: Sequence[Role], prefix: str, program: str) -> str:
    """A shell script that makes the policies and roles."""
    parts = [_written(program, OWN, own_rights(prefix))]
    for role in found:
        settings = " \\\n  ".join(
            f"{name}={_word(value)}" for name, value in role.settings().items()
        )
        parts += [
            f"# {role.node}",
            _written(program, role.name, role.rights),
            f"{program} write auth/token/roles/{role.name} \\\n  {settings}",
        ]
    return "\n".join((*parts, ""))


def _rights(credentials: Iterable[Credential]) -> Iterator[tuple[str, str]]:
    for each in credentials:
        mount, _, path = each.path.partition("/")
        if each.engine == "kv":
            yield f"{mount}/data/{path}", "read"
        elif each.path:
            yield each.path, "update" if each.params else "read"


def _written(program: str, name: str, rights: Mapping[str, str]) -> str:
    return f"{program} policy write {name} - <<'HCL'\n{hcl(rights)}HCL"


def _word(value: object) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(value).lower()

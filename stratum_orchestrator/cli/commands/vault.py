"""`stratum vault`."""

from collections.abc import Mapping, Sequence

import anyio
import click

from stratum_orchestrator.auth.vault import policy
from stratum_orchestrator.auth.vault.policy import Role
from stratum_orchestrator.cli.options import Face, faced
from stratum_orchestrator.config import Credentials


@click.group()
def vault() -> None:
    """Look after what steps are lent."""


@vault.command()
@click.option(
    "--format",
    "form",
    type=click.Choice(["commands", "hcl", "json"]),
    default="commands",
    show_default=True,
    help="A shell script, the policies alone, or for programs.",
)
@click.option(
    "--program",
    type=click.Choice(["vault", "bao"]),
    default="vault",
    show_default=True,
    help="Whose commands.",
)
@faced
def plan(face: Face, form: str, program: str) -> None:
    """Print the least rights that the nodes need at a vault, and the daemon itself.

    One policy and one token role for each node that declares credentials. Nothing is asked,
    and nothing is changed.
    """
    settings, roles = anyio.run(_roles, face)
    prefix = settings.role_prefix
    if form == "json" or not face.screen.for_people:
        face.screen.value(_view(roles, prefix))
    elif form == "hcl":
        click.echo(_texts(roles, prefix))
    else:
        click.echo(policy.commands(roles, prefix, program), nl=False)


async def _roles(face: Face) -> tuple[Credentials, Sequence[Role]]:
    from stratum_orchestrator.cli.workspace import graph_of, workspace

    async with workspace(face) as place:
        generation = await graph_of(face, place)
        settings = place.settings.credentials
        nodes = [each.node for each in generation.definitions]
        return settings, policy.roles(nodes, settings.role_prefix, settings.grace)


def _view(roles: Sequence[Role], prefix: str) -> Mapping[str, object]:
    return {
        "policies": {
            policy.OWN: policy.hcl(policy.own_rights(prefix)),
            **{role.name: policy.hcl(role.rights) for role in roles},
        },
        "roles": {role.name: {"node": role.node, **role.settings()} for role in roles},
    }


def _texts(roles: Sequence[Role], prefix: str) -> str:
    parts = [f"# {policy.OWN}\n{policy.hcl(policy.own_rights(prefix))}"]
    parts += [f"# {role.name}\n{policy.hcl(role.rights)}" for role in roles]
    return "\n".join(parts)

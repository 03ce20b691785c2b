"""`stratum completions`."""

import click
from click.shell_completion import get_completion_class

from stratum_orchestrator.cli.completion import SHELLS, VARIABLE
from stratum_orchestrator.cli.options import Face, faced


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@faced
def completions(face: Face, shell: str) -> None:
    """Print what lets a shell complete this command's words.

    Runs, nodes and pipelines are completed when a daemon answers quickly. In the start file
    of bash or zsh: eval "$(stratum completions bash)". For fish: stratum completions fish |
    source. For Nushell: stratum completions nu | save ~/.config/nushell/autoload/stratum.nu
    """
    found = get_completion_class(shell)
    root = click.get_current_context().find_root()
    if found is None:
        message = f"{shell} is not known"
        raise click.UsageError(message)
    script = found(root.command, {}, "stratum", VARIABLE).source()
    if face.screen.for_people:
        click.echo(script, nl=not script.endswith("\n"))
    else:
        face.screen.value({"shell": shell, "script": script})

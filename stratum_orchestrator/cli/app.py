"""The command `stratum`: what can be said to it, by name. Nothing else is imported here."""

import os
from collections.abc import Mapping, MutableMapping
from typing import Any, ClassVar

import click

from stratum_orchestrator.cli.lazy import Entry, LazyGroup
from stratum_orchestrator.cli.options import shared

_HERE = "stratum_orchestrator.cli.commands"
_COMPLETE = "_STRATUM_COMPLETE"
_INTERRUPTED = 130  # 128 and the number of SIGINT
_EXITS = """\b
Exit codes:
  0   done; the run completed
  1   the run failed and was compensated; a check failed
  2   wrong usage
  3   compensated, but a compensation failed
  4   refused: signature, schema or policy
  5   the wait timed out
  6   not found
  65  bad definitions      69  daemon or dependency unavailable
  70  a fault of Stratum
  74  input or output      75  data folder in use
  77  permission           78  configuration
  130 interrupted
"""


class Stratum(LazyGroup):
    """The root of all commands."""

    entries: ClassVar[Mapping[str, Entry]] = {
        "init": Entry(f"{_HERE}.init:init", "Write a first stratum.ncl, from a few answers."),
        "dev": Entry(f"{_HERE}.daemon:dev", "Run everything here, for development."),
        "serve": Entry(f"{_HERE}.daemon:serve", "Run the daemon."),
        "status": Entry(f"{_HERE}.status:status", "Show how the daemon is."),
        "reload": Entry(f"{_HERE}.reload:reload", "Have definitions read now."),
        "emit": Entry(f"{_HERE}.emit:emit", "Sign an event and publish it."),
        "top": Entry(f"{_HERE}.top:top", "Show everything at a glance, live."),
        "why": Entry(f"{_HERE}.why:why", "Say what became of an event, and why."),
        "runs": Entry(f"{_HERE}.runs:runs", "List runs, newest first."),
        "run": Entry(f"{_HERE}.run:run", "Show, watch, await one run; cancel, retry it."),
        "pipelines": Entry(f"{_HERE}.pipeline:pipelines", "List pipelines and how they stand."),
        "pipeline": Entry(f"{_HERE}.pipeline:pipeline", "Pause, disable or resume one."),
        "compensation": Entry(
            f"{_HERE}.compensation:compensation", "Look after a compensation that failed."
        ),
        "audit": Entry(f"{_HERE}.audit:audit", "Verify what is on record of runs."),
        "verdicts": Entry(f"{_HERE}.verdicts:verdicts", "List what became of events."),
        "ui": Entry(f"{_HERE}.ui:ui", "Print the address of the page."),
        "plan": Entry(f"{_HERE}.plan:plan", "Show the stages that an event would run."),
        "explain": Entry(f"{_HERE}.explain:explain", "Say what an event would do, and why."),
        "authz": Entry(f"{_HERE}.authz:authz", "Ask the policies who may do what, and why."),
        "lint": Entry(f"{_HERE}.lint:lint", "Check definitions and report all findings."),
        "graph": Entry(f"{_HERE}.graph:graph", "Draw the graph of capabilities."),
        "new": Entry(f"{_HERE}.new:new", "Write a new pipeline, or a new node."),
        "node": Entry(f"{_HERE}.node:node", "Test a node against its case."),
        "test": Entry(f"{_HERE}.test:test", "Try a whole pipeline; effects are stood in for."),
        "publish": Entry(f"{_HERE}.publish:publish", "Check, push and sign the definitions."),
        "pull": Entry(f"{_HERE}.bundles:pull", "Fetch a bundle, verify and keep it."),
        "verify": Entry(f"{_HERE}.bundles:verify", "Make every check of a bundle."),
        "versions": Entry(f"{_HERE}.activation:versions", "List what is and was in force."),
        "activate": Entry(f"{_HERE}.activation:activate", "Bring a bundle into force."),
        "rollback": Entry(f"{_HERE}.activation:rollback", "Bring the one before back."),
        "diff": Entry(f"{_HERE}.bundles:diff", "Show what differs between two bundles."),
        "vault": Entry(f"{_HERE}.vault:vault", "Say what rights the nodes need at a vault."),
        "keys": Entry(f"{_HERE}.keys:keys", "Make, show, change and revoke keys."),
        "principals": Entry(
            f"{_HERE}.principals:principals", "Say who may sign events and use the API."
        ),
        "tokens": Entry(f"{_HERE}.tokens:tokens", "Make and revoke API tokens."),
        "grants": Entry(f"{_HERE}.grants:grants", "Let agents act for users, for a time."),
        "gc": Entry(f"{_HERE}.gc:gc", "Forget what is old, without a daemon."),
        "chaos": Entry(
            f"{_HERE}.chaos:chaos", "Kill a copy of everything, and judge what is left."
        ),
        "compact": Entry(f"{_HERE}.compact:compact", "Shrink an embedded store on disk."),
        "doctor": Entry(f"{_HERE}.doctor:doctor", "Check what Stratum needs of this machine."),
        "config": Entry(f"{_HERE}.config:config", "Show the configuration in effect."),
        "completions": Entry(f"{_HERE}.completions:completions", "Let a shell complete words."),
        "version": Entry(f"{_HERE}.version:version", "Print the version."),
    }

    def _main_shell_completion(
        self,
        ctx_args: MutableMapping[str, Any],
        prog_name: str,
        complete_var: str | None = None,
    ) -> None:
        # only now is it known that a shell asks, and help has nothing to load
        if prog_name == "stratum" and _COMPLETE in os.environ:  # noqa: TID251 - the shell's
            import stratum_orchestrator.cli.completion  # noqa: F401, PLC0415 - adds Nushell
        super()._main_shell_completion(ctx_args, prog_name, complete_var)

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; Ctrl-C ends it as the shell expects."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise click.exceptions.Exit(_INTERRUPTED) from None


@click.command(
    cls=Stratum,
    epilog=_EXITS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@shared
def stratum() -> None:
    """Signed events run pipelines of nodes; what fails is undone."""

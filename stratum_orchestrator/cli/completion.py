"""Completion in Nushell, beside the shells that click knows."""

import json
import os
import shlex

from click.shell_completion import CompletionItem, ShellComplete, add_completion_class

SHELLS = ("bash", "zsh", "fish", "nu")
VARIABLE = "_STRATUM_COMPLETE"

_NU = """\
let stratum_others = $env.config.completions.external.completer?
$env.config.completions.external.enable = true
$env.config.completions.external.completer = {|spans|
  if ($spans.0 | path basename) == "stratum" {
    let words = $spans | to json --raw
    with-env { %(complete_var)s: nu_complete, STRATUM_COMPLETE_WORDS: $words } {
      ^$spans.0 | from json
    }
  } else if $stratum_others != null {
    do $stratum_others $spans
  }
}
"""


class NuComplete(ShellComplete):
    """Nushell's external completer: words in JSON, and answers in JSON."""

    name = "nu"
    source_template = _NU

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the one that is completed, and that one."""
        given = os.environ.get("STRATUM_COMPLETE_WORDS", "[]")  # noqa: TID251 - the shell's
        try:
            words = [str(each) for each in json.loads(given)]
        except (ValueError, TypeError):
            words = shlex.split(given)
        return words[1:-1], words[-1] if len(words) > 1 else ""

    def format_completion(self, item: CompletionItem[str]) -> str:
        """One completion as JSON."""
        return json.dumps({"value": item.value, "description": item.help or ""})

    def complete(self) -> str:
        """All of them as one list; null lets Nushell complete files itself."""
        args, incomplete = self.get_completion_args()
        found = self.get_completions(args, incomplete)
        if any(item.type in {"file", "dir"} for item in found):
            return "null"
        return f"[{','.join(self.format_completion(item) for item in found)}]"


add_completion_class(NuComplete)

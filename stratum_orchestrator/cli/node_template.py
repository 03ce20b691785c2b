"""The files of a new node: small, and every part of a real one."""

from collections.abc import Mapping

_NODE = """\
# Say here why this node exists; the description says what it does.
let stratum = import "stratum.ncl" in
let schema = stratum.schema in
{
  name = "@NAME@",
  version = "0.1.0",
  description = "Write a greeting to a file.",
  trigger = { pipeline = "@PIPELINE@", subjects = ["events.@PIPELINE@.requested"] },
  produces = ["@NAME@-result"],
  input_schemas = { event = schema.open_object { who = schema.nonempty } },
  output_schemas = { @NAME@-result = schema.object { greeting = schema.nonempty } },
  handler = { script = "run.nu" },
  compensate = { script = "undo.nu", timeout = "30s" },
  effect = 'external,
  timeout = "30s",
}
"""
_RUN = """\
# JSON in, JSON out. What it prints has exactly the capabilities that node.ncl produces.
# It may be started twice with the same idempotency key: do the same thing only once.
def main [] {
  let input = $in | from json
  let greeting = $"hello, ($input.event.data.who)"
  $greeting | save --force ($env.STRATUM_DATA | path join $"@NAME@-($input.run.id).txt")
  { @NAME@-result: { greeting: $greeting } } | to json --raw
}
"""
_UNDO = """\
# Takes back what run.nu did, if it did anything: it also runs for a step that was interrupted.
def main [] {
  let input = $in | from json
  rm --force ($env.STRATUM_DATA | path join $"@NAME@-($input.run.id).txt")
}
"""
_CASE = """\
{
  "event": {"who": "world"},
  "run": "r1",
  "cases": [
    {
      "name": "it greets",
      "expect": {
        "outputs": {"@NAME@-result": {"greeting": "hello, world"}},
        "data": {"@NAME@-r1.txt": "hello, world"}
      }
    },
    {
      "name": "undoing leaves nothing behind",
      "steps": ["run", "undo", "undo"],
      "expect": {"data": {"@NAME@-r1.txt": false}}
    }
  ]
}
"""


def files(name: str, pipeline: str) -> Mapping[str, str]:
    """The text of each file of a node, by file name."""
    templates = {"node.ncl": _NODE, "run.nu": _RUN, "undo.nu": _UNDO, "case.json": _CASE}
    return {
        file: text.replace("@NAME@", name).replace("@PIPELINE@", pipeline)
        for file, text in templates.items()
    }

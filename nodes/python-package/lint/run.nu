# Any finding fails the step. What ruff finds goes to stderr, which is the step's log; stdout
# belongs to the one JSON object that the step gives.
#
# `stratum.nu` comes with Stratum. Of it, this uses `stratum fail`: it ends the step with a
# reason that the run will show.
use stratum.nu *

def main [] {
  let path = $in | from json | get event.data.path
  let tool = ^ruff --version
  let checked = ^ruff check --no-cache --output-format concise $path | complete
  if $checked.exit_code != 0 {
    print --stderr $checked.stdout $checked.stderr
    stratum fail $"ruff finds fault: ($checked.stdout + $checked.stderr | lines | first)"
  }
  { linted-package: { tool: $tool, findings: 0 } } | to json --raw
}

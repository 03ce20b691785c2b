# Only looks: a step that is 'pure never changes the source.
use stratum.nu *

def main [] {
  let path = $in | from json | get event.data.path
  let tool = ^ruff --version
  let checked = ^ruff format --check --no-cache $path | complete
  if $checked.exit_code != 0 {
    print --stderr $checked.stdout $checked.stderr
    stratum fail "the package is not formatted: run `ruff format`"
  }
  { formatted-package: { tool: $tool } } | to json --raw
}

# Only looks: a step that is 'pure never changes the source.
use stratum.nu *

def main [] {
  let path = $in | from json | get event.data.path
  let tool = ^cargo fmt --version
  let checked = ^cargo fmt --check --manifest-path ($path | path join "Cargo.toml") | complete
  if $checked.exit_code != 0 {
    print --stderr $checked.stdout $checked.stderr
    stratum fail "the crate is not formatted: run `cargo fmt`"
  }
  { formatted-code: { tool: $tool } } | to json --raw
}

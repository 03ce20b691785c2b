# Warnings are counted and handed on; errors fail the step. Whether warnings matter is for
# `build-crate` to say.
use stratum.nu *

const LEFT_OUT = ["--exclude=.git" "--exclude=./target" "--exclude=node_modules"]

def main [] {
  let path = $in | from json | get event.data.path
  # cargo writes beside what it compiles, and the source is only lent for reading: so it works
  # on a copy in the scratch folder. Crates that others wrote come from a folder that stays;
  # fill it with `CARGO_HOME=… cargo fetch`.
  mkdir source
  ^tar --create --directory $path ...$LEFT_OUT . | ^tar --extract --directory source
  $env.CARGO_HOME = $env.STRATUM_DATA | path join "cargo"
  cd source

  let tool = if (^cargo clippy --version | complete).exit_code == 0 { "clippy" } else { "check" }
  let linted = ^cargo $tool --offline --quiet --message-format json | complete
  let messages = $linted.stdout | from json --objects | where reason == "compiler-message" | get message
  print --stderr ($messages.rendered | str join) $linted.stderr
  if $linted.exit_code != 0 {
    let errors = $messages | where level == "error" | get message | append $linted.stderr
    stratum fail $"cargo ($tool) finds fault: ($errors | first)"
  }

  let crate = ^cargo metadata --no-deps --offline --format-version 1 | from json | get packages.0.name
  let warnings = $messages | where level == "warning" | length
  { linted-code: { crate: $crate, tool: $tool, warnings: $warnings } } | to json --raw
}

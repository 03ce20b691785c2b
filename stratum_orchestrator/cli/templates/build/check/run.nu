# Put your linter and your tests here; what they say goes to stderr, the step's log.
use stratum.nu *

def main [] {
  cd ($in | from json | get event.data.path)
  let files = glob --no-dir **/*
  if ($files | is-empty) { stratum fail "there is nothing to build" }
  let marked = $files | where { |file| ^grep --quiet --text "^<<<<<<< " $file | complete | $in.exit_code == 0 }
  for file in $marked { print --stderr $"($file) has a conflict marker" }
  if ($marked | is-not-empty) { stratum fail "a merge was left half done" }
  { @NAME@-checked: { files: ($files | length) } } | to json --raw
}

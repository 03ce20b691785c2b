# Removes what this run has built, and its folder when that was the last thing in it. There may
# be nothing: the step is also undone when it was interrupted before it had built anything.
def main [] {
  let input = $in | from json
  let folder = $env.STRATUM_DATA | path join "builds" $input.run.id
  if not ($folder | path exists) { return }

  for file in (ls --all $folder | get name | where $it =~ '\.whl(\.part)?$') { rm --force $file }
  if (ls --all $folder | is-empty) { rm --recursive --force $folder }
}

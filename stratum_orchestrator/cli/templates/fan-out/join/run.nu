# One file for each run: to run twice is to write the same again.
def main [] {
  let input = $in | from json
  let report = {
    words: $input.inputs.@NAME@-total,
    longest: $input.inputs.@NAME@-longest-word,
  }
  let folder = $env.STRATUM_DATA | path join "reports"
  mkdir $folder
  $report | to json | save --force ($folder | path join $"($input.run.id).json")
  { @NAME@-report: $report } | to json --raw
}

# A file of the run's own: written twice, it is the same.
def main [] {
  let input = $in | from json
  let file = $"($input.run.id).json"
  $input.inputs | to json --raw | save --force ($env.STRATUM_DATA | path join $file)
  { filed-report: { file: $file } } | to json --raw
}

def main [] {
  let input = $in | from json
  let whole = $env.STRATUM_DATA | path join "builds" $input.run.id
  rm --recursive --force $whole $"($whole).part"
}

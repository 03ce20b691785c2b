def main [] {
  let input = $in | from json
  rm --force ($env.STRATUM_DATA | path join "reports" $"($input.run.id).json")
}

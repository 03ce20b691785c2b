def main [] {
  let file = $in | from json | $"($in.run.id).json"
  rm --force ($env.STRATUM_DATA | path join $file)
}

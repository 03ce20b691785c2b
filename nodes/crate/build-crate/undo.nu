# Removes what this run has built, finished or not.
def main [] {
  let input = $in | from json
  let place = $env.STRATUM_DATA | path join "builds" $input.run.id
  rm --recursive --force $place $"($place).part"
}

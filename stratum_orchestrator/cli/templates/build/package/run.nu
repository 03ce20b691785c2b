# Call your compiler here. It builds beside the place and moves the whole there at the end, so
# that nobody ever sees half of it; and it begins anew when it runs again.
def main [] {
  let input = $in | from json
  let path = ["builds" $input.run.id] | path join
  let whole = $env.STRATUM_DATA | path join $path
  let part = $"($whole).part"
  rm --recursive --force $part $whole
  mkdir $part
  cp --recursive ...(glob $"($input.event.data.path)/*") $part
  mv $part $whole
  { @NAME@-built: { path: $path, sources: $input.inputs.@NAME@-sources.sha256 } } | to json --raw
}

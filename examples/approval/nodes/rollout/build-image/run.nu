def main [] {
  let input = $in | from json
  let name = $"shop-($input.event.data.version)"
  $name | save --force ($env.STRATUM_DATA | path join $"($name).image")
  { image: { name: $name } } | to json --raw
}

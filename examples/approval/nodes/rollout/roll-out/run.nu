def main [] {
  let image = $in | from json | get inputs.image.name
  $image | save --force ($env.STRATUM_DATA | path join "live")
  { live: $image } | to json --raw
}

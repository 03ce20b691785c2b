def main [] {
  let asked = $in | from json | get event.data
  let line = $"($asked.groups | str join ' and '): stratum run approve ($asked.run) ($asked.node)"
  $"($line)\n" | save --append ($env.STRATUM_DATA | path join "inbox")
  { told: $line } | to json --raw
}

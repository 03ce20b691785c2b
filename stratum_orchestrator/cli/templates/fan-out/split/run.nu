use stratum.nu *

def main [] {
  let words = $in | from json | get event.data.text | split words
  if ($words | is-empty) { stratum fail "there is no word in the text" }
  { @NAME@-words: $words } | to json --raw
}

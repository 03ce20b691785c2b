def main [] {
  let words = $in | from json | get inputs.@NAME@-words
  { @NAME@-total: ($words | length) } | to json --raw
}

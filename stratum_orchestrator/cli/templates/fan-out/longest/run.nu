def main [] {
  let words = $in | from json | get inputs.@NAME@-words
  { @NAME@-longest-word: ($words | sort-by { str length } | last) } | to json --raw
}

def main [] {
  let text = $in | from json | get event.data.text
  { word-count: { words: ($text | split words | length) } } | to json --raw
}

def main [] {
  let data = $in | from json | get event.data
  { excuse-words: { words: $"we are sorry: ($data.cause)" } } | to json --raw
}

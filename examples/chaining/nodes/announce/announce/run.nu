def main [] {
  let data = $in | from json | get event.data
  { announcement: { words: $"ready: ($data.outputs.parcel.label)" } } | to json --raw
}

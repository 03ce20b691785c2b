def main [] {
  let event = $in | from json | get event
  if ($event.data.broken? | default false) {
    error make --unspanned { msg: $"the ($event.data.goods) is broken" }
  }
  { parcel: { label: $"one ($event.data.goods)" } } | to json --raw
}

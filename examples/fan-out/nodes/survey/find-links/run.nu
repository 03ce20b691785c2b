def main [] {
  let text = $in | from json | get event.data.text
  let links = $text | split row " " | where $it starts-with "https://"
  { link-list: { links: $links, count: ($links | length) } } | to json --raw
}

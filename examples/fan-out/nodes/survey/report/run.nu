def main [] {
  let inputs = $in | from json | get inputs
  let summary = $"($inputs.word-count.words) words, ($inputs.link-list.count) links"
  { survey-report: { summary: $summary } } | to json --raw
}

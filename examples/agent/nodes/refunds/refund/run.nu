# Looks before it pays: it may run twice, always with the same key.
def main [] {
  let input = $in | from json
  let key = $input.step.idempotency_key
  let book = $env.STRATUM_DATA | path join $"($input.event.data.order).jsonl"
  let entries = if ($book | path exists) { open --raw $book | from json --objects } else { [] }
  if $key not-in ($entries | get key?) {
    $"({ key: $key, kind: refund } | to json --raw)\n" | save --raw --append $book
  }
  { refund-receipt: { receipt: $key } } | to json --raw
}

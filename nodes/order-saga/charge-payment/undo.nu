# Gives the money back, once, and only what this run has taken.
def main [] {
  let input = $in | from json
  let key = $"($input.run.id)/($input.step.node)" # the key that run.nu had
  let ledger = $env.STRATUM_DATA | path join "payments" $"($input.event.data.order).jsonl"
  if not ($ledger | path exists) { return }

  let entries = open --raw $ledger | from json --objects | where key == $key
  if "charged" in $entries.kind and "refunded" not-in $entries.kind {
    let entry = { key: $key, kind: "refunded", amount: (0 - $input.event.data.amount) }
    $"($entry | to json --raw)\n" | save --raw --append $ledger
  }
}

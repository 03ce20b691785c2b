# Calls the parcel back, once, and only the one that this run has sent.
def main [] {
  let input = $in | from json
  let key = $"($input.run.id)/($input.step.node)" # the key that run.nu had
  let ledger = $env.STRATUM_DATA | path join "parcels" $"($input.event.data.order).jsonl"
  if not ($ledger | path exists) { return }

  let entries = open --raw $ledger | from json --objects | where key == $key
  if "shipped" in $entries.kind and "recalled" not-in $entries.kind {
    let entry = { key: $key, kind: "recalled", item: $input.event.data.item }
    $"($entry | to json --raw)\n" | save --raw --append $ledger
  }
}

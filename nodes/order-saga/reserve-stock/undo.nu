# Puts the goods back: a new entry that cancels the first, as in every ledger.
#
# Three things are asked of a compensation. It may be run again, so it looks before it writes.
# It is also run when the step was interrupted, and then `outputs` is null and perhaps nothing
# happened: so it asks the ledger, not the outputs. And it undoes only what this run did: the
# key tells.
def main [] {
  let input = $in | from json
  let key = $"($input.run.id)/($input.step.node)" # the key that run.nu had
  let ledger = $env.STRATUM_DATA | path join "stock" $"($input.event.data.order).jsonl"
  if not ($ledger | path exists) { return }

  let entries = open --raw $ledger | from json --objects | where key == $key
  if "reserved" in $entries.kind and "returned" not-in $entries.kind {
    let entry = { key: $key, kind: "returned", quantity: (0 - $input.event.data.quantity) }
    $"($entry | to json --raw)\n" | save --raw --append $ledger
  }
}

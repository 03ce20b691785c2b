# Sends the parcel, once. Publish the event with `"fail": "ship"` to see the whole saga go back:
# the money is refunded, then the goods are put back.
def main [] {
  let input = $in | from json
  let order = $input.event.data
  if $order.fail? == "ship" { error make --unspanned { msg: "the carrier refuses the parcel" } }

  let folder = $env.STRATUM_DATA | path join "parcels"
  let ledger = $folder | path join $"($order.order).jsonl"
  let entries = if ($ledger | path exists) { open --raw $ledger | from json --objects } else { [] }
  let entry = { key: $input.step.idempotency_key, kind: "shipped", item: $order.item }
  if $entry not-in $entries {
    mkdir $folder
    $"($entry | to json --raw)\n" | save --raw --append $ledger
  }

  { shipped-order: ($input.inputs.charged-payment | select order receipt) } | to json --raw
}

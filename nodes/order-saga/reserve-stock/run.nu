# A step is run at least once: after a crash it is run again, with the same key. So it first
# looks whether its effect is there already, and then running it twice is like running it once.
def main [] {
  let input = $in | from json
  let order = $input.event.data
  if $order.fail? == "reserve" { error make --unspanned { msg: $"($order.item) is out of stock" } }

  # $STRATUM_DATA is the pipeline's own folder; it stays. One small ledger per order keeps
  # looking cheap, however many orders there are.
  let folder = $env.STRATUM_DATA | path join "stock"
  let ledger = $folder | path join $"($order.order).jsonl"
  let entries = if ($ledger | path exists) { open --raw $ledger | from json --objects } else { [] }
  let entry = { key: $input.step.idempotency_key, kind: "reserved", quantity: $order.quantity }
  if $entry not-in $entries {
    mkdir $folder
    $"($entry | to json --raw)\n" | save --raw --append $ledger
  }

  { reserved-stock: ($order | select order item quantity) } | to json --raw
}

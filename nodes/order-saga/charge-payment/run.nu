# Charges the customer. A real payment service takes the idempotency key and does this looking
# itself: pass it on. See reserve-stock/run.nu for why.
def main [] {
  let input = $in | from json
  let order = $input.event.data
  if $order.fail? == "charge" { error make --unspanned { msg: "the card was declined" } }

  let key = $input.step.idempotency_key
  let folder = $env.STRATUM_DATA | path join "payments"
  let ledger = $folder | path join $"($order.order).jsonl"
  let entries = if ($ledger | path exists) { open --raw $ledger | from json --objects } else { [] }
  let entry = { key: $key, kind: "charged", amount: $order.amount }
  if $entry not-in $entries {
    mkdir $folder
    $"($entry | to json --raw)\n" | save --raw --append $ledger
  }

  { charged-payment: { order: $order.order, amount: $order.amount, receipt: $key } } | to json --raw
}

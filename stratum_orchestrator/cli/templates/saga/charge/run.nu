# A real payment service takes the idempotency key and looks itself: pass it on.
use stratum.nu *

def main [] {
  let input = $in | from json
  let order = $input.event.data
  if $order.amount > 100000 { stratum fail "the card was declined" }
  let folder = $env.STRATUM_DATA | path join "charged"
  mkdir $folder
  $input.step.idempotency_key | save --force ($folder | path join $order.order)
  { @NAME@-charged: { order: $order.order, amount: $order.amount } } | to json --raw
}

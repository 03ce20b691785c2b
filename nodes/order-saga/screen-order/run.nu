# The more money, the more risk; what is too risky fails the step, and so the order.
def main [] {
  let order = $in | from json | get event.data
  let risk = $order.amount / 2_000_000 # in cents: 20,000.00 is certain fraud
  if $risk > 0.5 or $order.fail? == "screen" {
    error make --unspanned { msg: $"order ($order.order) looks like fraud" }
  }
  { screened-order: { order: $order.order, risk: $risk } } | to json --raw
}

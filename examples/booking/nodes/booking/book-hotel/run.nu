# The key is the same however often the step runs, so the service books once.
def main [] {
  let input = $in | from json
  let key = $input.step.idempotency_key | url encode --all
  let wanted = { what: hotel, city: $input.event.data.city }
  http put --content-type application/json $"($env.BOOKINGS)/($key)" $wanted
  { hotel-booking: { key: $input.step.idempotency_key } } | to json --raw
}

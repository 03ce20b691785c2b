# Takes back what was booked under the key of the step, if anything was: nobody may know.
def main [] {
  let input = $in | from json
  let key = $"($input.run.id)/($input.step.node)" | url encode --all
  http delete $"($env.BOOKINGS)/($key)"
  null
}

# Takes back what run.nu did, if it did anything: it also runs for a step that was interrupted.
# It looks whose reservation it is, for another run may hold the same order.
def main [] {
  let input = $in | from json
  let file = $env.STRATUM_DATA | path join "reserved" $input.event.data.order
  if ($file | path exists) and (open --raw $file) == $input.step.undoes { rm $file }
}

# It may be started twice with the same idempotency key: so writing twice is like writing once.
def main [] {
  let input = $in | from json
  let folder = $env.STRATUM_DATA | path join "reserved"
  mkdir $folder
  $input.step.idempotency_key | save --force ($folder | path join $input.event.data.order)
  { @NAME@-reserved: { order: $input.event.data.order } } | to json --raw
}

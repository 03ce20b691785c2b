# What a Stratum script needs to talk to the daemon: `use stratum.nu *`.
# Every command works alike under `nu --stdin run.nu` and plain `nu run.nu < input.json`.

# Reads what the step was given: a record with `event`, `inputs`, `run` and `step`; a
# compensation also gets `outputs`, `outcome` and `cause`.
export def "stratum input" []: nothing -> record {
  open --raw /dev/stdin | decode utf-8 | from json
}

# Gives the step's result: a record from capability names to values, once, as the last thing.
@example "one capability" { { "checked-code": { warnings: 0 } } | stratum output }
export def "stratum output" []: record -> string {
  to json --raw
}

# Writes one line to the step's log. The fields are kept as data.
@example "a count" { stratum log "tests done" { passed: 12 } }
export def "stratum log" [message: string, fields: record = {}]: nothing -> nothing {
  { stratum: "log", message: $message, fields: $fields } | to json --raw | print --stderr
}

# Ends the step as failed, with a reason. `--retry` says that a further attempt may succeed.
export def "stratum fail" [message: string, --retry]: nothing -> nothing {
  { stratum: "fail", message: $message, retry: $retry } | to json --raw | print --stderr
  exit (if $retry { 75 } else { 1 })
}

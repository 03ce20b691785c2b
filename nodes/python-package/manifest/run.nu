use stratum.nu *

# A wheel's name is its name, version and tags, joined by dashes (PEP 427); the parts have none.
def main [] {
  let inputs = $in | from json | get inputs
  let artifacts = [$inputs.built-wheel $inputs.built-sdist]
  for artifact in $artifacts {
    let found = $env.STRATUM_DATA | path join $artifact.path | open --raw $in | hash sha256
    if $found != $artifact.sha256 {
      stratum fail $"($artifact.file) has changed since it was built"
    }
  }

  let parts = $inputs.built-wheel.file | split row "-"
  { package-manifest: { name: $parts.0, version: $parts.1, artifacts: $artifacts } } | to json --raw
}

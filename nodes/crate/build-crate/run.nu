# See lint-crate/run.nu for the copy and for CARGO_HOME.
use stratum.nu *

const LEFT_OUT = ["--exclude=.git" "--exclude=./target" "--exclude=node_modules"]

def main [] {
  let input = $in | from json
  mkdir source
  ^tar --create --directory $input.event.data.path ...$LEFT_OUT . | ^tar --extract --directory source
  $env.CARGO_HOME = $env.STRATUM_DATA | path join "cargo"
  cd source

  let built = ^cargo build --offline --quiet --release --message-format json | complete
  let messages = $built.stdout | from json --objects
  print --stderr ($messages.message?.rendered? | compact | str join) $built.stderr
  if $built.exit_code != 0 {
    let errors = $messages.message? | compact | where level == "error" | get message
    stratum fail $"cargo build failed: ($errors | append $built.stderr | first)"
  }

  # Whole, then in place: what is found below builds/ is complete, whenever one looks.
  let folder = $"builds/($input.run.id)"
  let place = $env.STRATUM_DATA | path join $folder
  rm --recursive --force $place $"($place).part"
  mkdir $"($place).part"
  for artifact in (ours $messages) { cp $artifact $"($place).part" }
  mv $"($place).part" $place

  let files = ls $place | each {|it|
    let file = $it.name | path basename
    let sha256 = open --raw $it.name | hash sha256
    { file: $file, path: $"($folder)/($file)", size: ($it.size | into int), sha256: $sha256 }
  }
  {
    built-artifact: { crate: $input.inputs.linted-code.crate, profile: "release", files: $files }
  } | to json --raw
}

# Programs and libraries of the crate itself: not its build scripts, not what it depends on.
def ours [messages: table]: nothing -> list<string> {
  let packages = ^cargo metadata --no-deps --offline --format-version 1 | from json | get packages.id
  $messages
  | where reason == "compiler-artifact" and package_id in $packages
  | where { "custom-build" not-in $in.target.kind }
  | get filenames
  | flatten
  | where { ($in | path parse | get extension) != "rmeta" }
}

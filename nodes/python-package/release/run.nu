# The data folder of the pipeline:
#
#   shelf/RUN/             what a run has released: artifacts and manifest.json
#   shelf/RUN.before       what the release pointed to before this run, or nothing
#   releases/NAME-VERSION  -> ../shelf/RUN
#
# Each thing is made beside its place and renamed into it. Killed anywhere and run again, the
# script finds what is done already and does the rest.
def main [] {
  let input = $in | from json
  let manifest = $input.inputs.package-manifest
  let path = $"releases/($manifest.name)-($manifest.version)"
  let release = $env.STRATUM_DATA | path join $path
  let shelf = $env.STRATUM_DATA | path join "shelf" $input.run.id
  mkdir ($release | path dirname) ($shelf | path dirname)

  if not ($shelf | path exists) { fill $shelf $manifest }
  let before = $"($shelf).before"
  if not ($before | path exists) {
    points_to $release | save --raw --force $"($before).part"
    mv --force $"($before).part" $before
  }
  point $release $"../shelf/($input.run.id)"

  {
    released-package: {
      name: $manifest.name
      version: $manifest.version
      path: $path
      artifacts: $manifest.artifacts.file
    }
  } | to json --raw
}

def fill [shelf: path, manifest: record] {
  let part = $"($shelf).part"
  rm --recursive --force $part
  mkdir $part
  for artifact in $manifest.artifacts {
    cp ($env.STRATUM_DATA | path join $artifact.path) $part
  }
  $manifest | to json | save --raw ($part | path join "manifest.json")
  mv $part $shelf
}

# Where a link leads; empty when there is none.
def points_to [link: path]: nothing -> string {
  if ($link | path type) == "symlink" { ^readlink $link | str trim } else { "" }
}

# Renaming a link over another is atomic; making one in place is not.
def point [link: path, target: string] {
  ^ln --symbolic --force --no-dereference $target $"($link).part"
  ^mv --force --no-target-directory $"($link).part" $link
}

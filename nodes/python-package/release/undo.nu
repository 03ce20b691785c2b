# Takes out exactly what this run has released. A release that points elsewhere by now was made
# by a later run, and stays.
#
# The step may have been interrupted, so `inputs` say what it was to release, and the shelf
# says how far it got.
def main [] {
  let input = $in | from json
  let manifest = $input.inputs.package-manifest
  let release = $env.STRATUM_DATA | path join "releases" $"($manifest.name)-($manifest.version)"
  let shelf = $env.STRATUM_DATA | path join "shelf" $input.run.id

  if (points_to $release) == $"../shelf/($input.run.id)" {
    let before = open --raw $"($shelf).before"
    if ($before != "") and ($release | path dirname | path join $before | path exists) {
      point $release $before
    } else {
      rm --force $release
    }
  }
  rm --recursive --force $shelf $"($shelf).part" $"($shelf).before" $"($release).part"
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

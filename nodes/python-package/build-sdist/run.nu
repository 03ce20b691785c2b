use stratum.nu *

# What is not source: other people's packages, caches, and what earlier builds left behind.
const LEFT_OUT = [
  .git .hg .venv node_modules .stratum __pycache__ .mypy_cache .ruff_cache .pytest_cache
  .hypothesis .tox .nox "*.egg-info" "*.pyc" ./dist ./build ./target
]

def main [] {
  let input = $in | from json

  # A build may write beside what it builds, and the source is only lent for reading. So it
  # gets a copy, in the step's scratch folder: the current folder, gone when the step has ended.
  # Build tools look for ignored files in the folders above, up to one with `.git`: this one.
  mkdir source/.git out
  let left_out = $LEFT_OUT | each { $"--exclude=($in)" }
  ^tar --create --directory $input.event.data.path ...$left_out . | ^tar --extract --directory source
  let built = ^python3 -m build --no-isolation --sdist --outdir out source | complete
  print --stderr $built.stdout $built.stderr
  if $built.exit_code != 0 {
    let said = $built.stdout + $built.stderr | lines | compact --empty
    let error = $said | where $it =~ '^[A-Za-z.]+Error: ' | append ($said | last) | first
    stratum fail $"the build failed: ($error)"
  }

  # Moved into place whole: a run that was killed half-way is run again and finds either
  # nothing or everything. The run's id keeps the builds of different runs apart.
  let built_file = glob "out/*.tar.gz" | first
  let path = $"builds/($input.run.id)/($built_file | path basename)"
  let place = $env.STRATUM_DATA | path join $path
  mkdir ($place | path dirname)
  cp $built_file $"($place).part"
  mv --force $"($place).part" $place

  {
    built-sdist: {
      file: ($place | path basename)
      path: $path
      size: (ls $place | get 0.size | into int)
      sha256: (open --raw $place | hash sha256)
    }
  } | to json --raw
}

def main [] {
  cd ($in | from json | get event.data.path)
  let lines = glob --no-dir **/* | each { path relative-to $env.PWD } | sort | each { |name|
    $"(open --raw $name | into binary | hash sha256)  ($name)\n"
  }
  { @NAME@-sources: { sha256: ($lines | str join | hash sha256) } } | to json --raw
}

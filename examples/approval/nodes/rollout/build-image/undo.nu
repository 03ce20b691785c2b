# Looks before it acts: it may run twice, or where nothing was built.
def main [] {
  let version = $in | from json | get event.data.version
  let image = $env.STRATUM_DATA | path join $"shop-($version).image"
  if ($image | path exists) { rm $image }
}

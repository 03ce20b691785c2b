def main [] { "{}" }

"""Knowledge: what pipelines are made of, how they are ordered, where definitions come from.

Pure code on frozen data, apart from `definitions/`, which reads, jails, evaluates and keeps
the files. Nothing here knows of runs, of transport or of the daemon.
"""

"""Running one step as one Nushell process: started, fed, contained, ended, understood.

`nushell.py` is the adapter behind the `Runner` port and reads from top to bottom; what it
stands on: `process` (a process and its whole tree), `spawn` (its start), `pipes` (its
streams), `strays` and `marks` (what left its session), `containment` (what it may reach),
`environment` (what it sees), `output` and `verdict` (what it said, and what that means).
Linux only: pidfds, a child subreaper and Landlock have no equal elsewhere.
"""

"""The cube of drivers: what it is made of (`plan`), its variables on the cells (`fields`, `statics`), and how it is written.

`access` opens the sources of a run, `build` makes the dynamic variables with `write`, and `append` decides which of them go on
from the cube that was kept. `checks` refuses values that cannot be right.
"""

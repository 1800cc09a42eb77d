"""The sections of the configuration: frozen, strict, typed; defaults stand here and nowhere else.

Options of plug-ins (networks, sources, models) stand in the plug-in's own file, class `Options`. A section has a base for each
part of it that a stage takes, so that no other key makes the stage run again. `run` has all of it, and asks every plug-in for its
options; a stage imports the module of its own section, which takes a tenth of that time.
"""

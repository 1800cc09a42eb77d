"""Costs of a run before it starts: sizes from the configuration, rates from finished runs, time on many nodes.

`size` reads the configuration. `work` has the work of each rule. `fit` turns benchmarks of finished runs into rates
(`costs.json`, with their measurements). `needs` gives memory and minutes of a job, `data` downloads and disk of a run, and
`plan` the time of a run.
"""

"""What a run costs before it runs: sizes from the configuration, rates from finished runs, time on many nodes.

`size` reads the configuration, `work` says what each rule does with it, `fit` turns benchmarks of finished runs into rates
(`costs.json`, with the measurements they come from), `needs` gives a job its memory and minutes, `plan` the whole run.
"""

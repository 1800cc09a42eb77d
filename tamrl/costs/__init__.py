"""What a run costs before it runs: sizes from the configuration, rates from finished runs, time on many nodes.

`size` reads the configuration, `work` states what each rule does with it, `fit` turns benchmarks of finished runs into rates
(`costs.json`, with the measurements behind them), `needs` gives a job its memory and minutes and a run its downloads and disk,
`plan` walks the whole run.
"""

"""Measured ratios: each `bench_*.py` has `run() -> list[dict]` with name, value, unit, target and met."""

"""Benchmarks: run by hand (`python -m tests.bench`), ratios from one run, never a failing test."""

"""Plots of benchmarks: each says its finding, labels what it shows where it shows it, and is told in words as well."""

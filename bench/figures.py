"""How the benchmarks print what they saw."""
import statistics


def spread(values: list[float]) -> str:
    """The median, with the quartiles."""
    if len(values) < 2:
        return f"{values[0]:.2f} ({values[0]:.2f}–{values[0]:.2f})"
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{middle:.2f} ({low:.2f}–{high:.2f})"

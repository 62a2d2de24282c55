"""Trimmed means over workers, their differences, and Student's t on them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

Values = NDArray[np.float64]

TRIMMED_SHARE: Final = 0.2
"""Share of the workers' numbers that is left out at either end."""
FEWEST: Final = 4
"""Minimum numbers for an estimate of their spread."""


@dataclass(frozen=True, slots=True)
class Estimates:
    """Estimates with their standard errors and degrees of freedom, one an element."""

    value: Values
    error: Values
    freedom: Values

    def compute_p_value_below(self, limit: Values) -> Values:
        """Return the one-sided p-value of the hypothesis that the truth is at most the limit."""
        # Workers that agree to the last bit leave no doubt, but 0 / 0 would be NaN.
        with np.errstate(over="ignore"):
            errors = (limit - self.value) / np.maximum(self.error, np.finfo(float).tiny)
        return np.asarray(stdtr(self.freedom, errors))

    def compute_p_value_above(self, limit: Values) -> Values:
        """Return the one-sided p-value of the hypothesis that the truth is at least the limit."""
        return replace(self, value=-self.value).compute_p_value_below(-limit)

    def compute_interval(self, confidence: float) -> tuple[Values, Values]:
        """Return the two ends of the intervals of a confidence, e.g. 0.95."""
        reach = stdtrit(self.freedom, (1 + confidence) / 2) * self.error
        return self.value - reach, self.value + reach


def estimate_trimmed_means(values: Values) -> Estimates:
    """Estimate trimmed means over workers.

    The standard error comes from the winsorised numbers (see `estimate_differences`), after
    J. W. Tukey and D. H. McLaughlin, "Less Vulnerable Confidence and Significance Procedures for
    Location Based on a Single Sample: Trimming/Winsorization 1", Sankhya A 25 (1963), 331-352.
    ``values`` has one row a case, and at least `FEWEST` workers along the last axis.
    """
    count = values.shape[1]
    cut = int(TRIMMED_SHARE * count)
    ordered = np.sort(values, axis=1)
    kept = ordered[:, cut : count - cut]
    winsorised = np.clip(ordered, kept[:, :1], kept[:, -1:])
    spread = np.std(winsorised, axis=1, ddof=1)
    used = kept.shape[1]
    error = spread * np.sqrt((count - 1) / (used * (used - 1)))
    return Estimates(kept.mean(axis=1), error, np.full(len(values), used - 1.0))


def estimate_differences(heads: Estimates, bases: Estimates) -> Estimates:
    """Estimate differences of trimmed means of independent workers, of unequal spread.

    Source: K. K. Yuen, "The two-sample trimmed t for unequal population variances", Biometrika 61
    (1974), 165-170, with Welch's degrees of freedom. The same as ``scipy.stats.ttest_ind(heads,
    bases, equal_var=False, trim=0.2)``, for many cases at once and with the interval.
    """
    left, right = np.square(heads.error), np.square(bases.error)
    total = left + right
    freedom = total**2 / np.maximum(
        left**2 / heads.freedom + right**2 / bases.freedom, np.finfo(float).tiny
    )
    return Estimates(heads.value - bases.value, np.sqrt(total), np.maximum(freedom, 1.0))

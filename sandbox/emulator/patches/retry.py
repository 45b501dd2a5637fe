"""Retry and Catch.

AWS behavior restored:

- ``MaxDelaySeconds`` caps the interval of a Retry and ``JitterStrategy: FULL`` draws it between nothing and its whole
  length; neither is cut at a minute.
- ``States.ALL`` and ``States.TaskFailed`` match neither ``States.Runtime`` nor ``States.DataLimitExceeded``.

[docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html]
"""

import random

from ministack.services import stepfunctions as sfn

from .patching import patch

_WILDCARDS = ("States.ALL", "States.TaskFailed")
_NEVER_MATCHED_BY_WILDCARDS = ("States.Runtime", "States.DataLimitExceeded")


def _interval(retrier, attempts):
    seconds = retrier.get("IntervalSeconds", 1) * retrier.get("BackoffRate", 2.0) ** attempts
    seconds = min(seconds, retrier.get("MaxDelaySeconds", float("inf")))
    return random.uniform(0, seconds) if retrier.get("JitterStrategy") == "FULL" else seconds


def install():
    @patch(sfn, "_find_matching_retrier")
    def find_matching_retrier(original, retriers, error, attempts):
        retrier, index = original(retriers, error, attempts)
        if retrier is None:
            return retrier, index
        # The engine knows neither cap nor jitter: the pause is made here, and none is left for it to make.
        sfn._scaled_sleep(_interval(retrier, attempts.get(index, 0)))
        return {**retrier, "IntervalSeconds": 0}, index

    @patch(sfn, "_error_matches")
    def error_matches(original, names, error):
        if error in _NEVER_MATCHED_BY_WILDCARDS:
            names = [name for name in names if name not in _WILDCARDS]
        return original(names, error)

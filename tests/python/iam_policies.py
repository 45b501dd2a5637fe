"""Reads IAM policies with parliament.

Takes a JSON object from standard input, a policy under each name, and prints what parliament finds: a list of ``policy``, ``issue``
and ``detail``. https://github.com/duo-labs/parliament
"""

import json
import sys
import warnings

warnings.simplefilter("ignore")  # Of setuptools, about the resources that parliament takes from it.
from parliament import analyze_policy_string  # noqa: E402


def main():
    found = []
    for name, policy in json.load(sys.stdin).items():
        for finding in analyze_policy_string(json.dumps(policy), name).findings:
            found.append({"policy": name, "issue": finding.issue, "detail": str(finding.detail)})
    json.dump(found, sys.stdout)


main()

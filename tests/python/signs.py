"""Sends requests that slack_sdk has signed to the gateway, and says in JSON how each was answered."""

import json
import sys
import time
import urllib.error
import urllib.request

from slack_sdk.signature import Clock, SignatureVerifier


class ClockAt(Clock):
    def __init__(self, now):
        self._now = now

    def now(self):
        return self._now


def main():
    task = json.load(sys.stdin)
    verifier = SignatureVerifier(task["signing_secret"])
    stranger = SignatureVerifier("another secret")
    body, now = task["body"], int(time.time())
    # A proxy of the caller's shell is for the internet.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def send(timestamp, signature, body):
        headers = {"X-Slack-Request-Timestamp": str(timestamp), "X-Slack-Signature": signature}
        request = urllib.request.Request(task["url"], data=body.encode(), headers=headers)
        try:
            with opener.open(request, timeout=10) as answer:
                return answer.status
        except urllib.error.HTTPError as refusal:
            return refusal.code

    def signature(by, timestamp):
        return by.generate_signature(timestamp=str(timestamp), body=body)

    documented = task["documented"]
    known = SignatureVerifier(documented["signing_secret"], ClockAt(int(documented["timestamp"])))
    genuine = signature(verifier, now)
    old = now - 301
    json.dump(
        {
            "slack_sdk accepts what Slack documents": known.is_valid(
                documented["body"], documented["timestamp"], documented["signature"]
            ),
            "another body": send(now, genuine, task["other_body"]),
            "another time": send(now + 1, genuine, body),
            "another secret": send(now, signature(stranger, now), body),
            "another version": send(now, genuine.replace("v0=", "v1="), body),
            "an old signature": send(old, signature(verifier, old), body),
            "as signed": send(now, genuine, body),
            "signed again": send(now, signature(verifier, now), body),
        },
        sys.stdout,
    )


main()

"""Queue URLs.

AWS behavior restored: a queue URL leads back through the endpoint that the client speaks to, here the sandbox's
front door (``SANDBOX_ENDPOINT``), and not to the port MiniStack itself listens on behind it.
"""

import os
from urllib.parse import urlsplit

from ministack.services import sqs


def install():
    endpoint = urlsplit(os.environ["SANDBOX_ENDPOINT"])
    sqs.DEFAULT_HOST, sqs.DEFAULT_PORT = endpoint.hostname, str(endpoint.port)
    sqs._CANONICAL_NETLOC = endpoint.netloc
    sqs._HOST_EXPLICIT = True  # else the URL would follow each request's Host header

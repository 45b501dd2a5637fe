"""Answers of S3, changed before they are written.

MiniStack makes the XML of an answer as a tree and writes it in one place. No AWS behavior is patched here: other patches
change that tree in between.
"""

from contextlib import contextmanager
from contextvars import ContextVar

from ministack.services import s3

from .patching import patch

_changes = ContextVar("cordon_s3_answers", default=())


@contextmanager
def answering(change):
    """While this lasts, ``change`` is called with the root of every answer that is not an error."""
    token = _changes.set((*_changes.get(), change))
    try:
        yield
    finally:
        _changes.reset(token)


def install():
    @patch(s3, "_xml_body")
    def xml_body(original, root):
        if root.tag != "Error":
            for change in _changes.get():
                change(root)
        return original(root)

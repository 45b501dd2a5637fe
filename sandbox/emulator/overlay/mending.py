"""How a mend takes the place of a function of MiniStack."""

import functools


def mend(module, name):
    """Decorator that puts a function in the place of ``module.name``.

    The function gets what it replaces as its first argument, so that most mends can be written as "what MiniStack
    does, and then". A name that the module no longer has is an AttributeError at start: an upgrade that moves what a
    mend holds on to must not leave the mend quietly without effect.
    """
    original = getattr(module, name)

    def replace(function):
        @functools.wraps(original)
        def mended(*args, **kwargs):
            return function(original, *args, **kwargs)

        setattr(module, name, mended)
        return mended

    return replace

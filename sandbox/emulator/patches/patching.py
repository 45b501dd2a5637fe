"""How a patch takes the place of a function of MiniStack."""

import functools


def patch(module, name):
    """Decorator that puts a function in the place of ``module.name``.

    The function gets what it replaces as its first argument, so that most patches can be written as "what MiniStack
    does, and then". A name that the module no longer has is an AttributeError at start: an upgrade that moves what a
    patch holds on to must not leave the patch quietly without effect.
    """
    original = getattr(module, name)

    def replace(function):
        @functools.wraps(original)
        def patched(*args, **kwargs):
            return function(original, *args, **kwargs)

        setattr(module, name, patched)
        return patched

    return replace

"""The patches Cordon needs on MiniStack, the emulator its sandbox stands on.

MiniStack answers for the AWS services that Cordon's flow runs on. Where it differs from AWS in something that
Cordon relies on, a module here restores the AWS behavior, and one of the emulator conformance tests in ``tests/``
holds it through the public API, so that an upgrade of MiniStack tells at once which patch it broke or made
superfluous. Nothing is patched that Cordon does not rely on.

``python -m patches`` installs every patch and then starts MiniStack in the same process. Every module has one subject,
an ``install()``, and a docstring that names the AWS behavior it restores.
"""

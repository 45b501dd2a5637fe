"""The mends Cordon needs on MiniStack, the emulator its sandbox stands on.

MiniStack answers for the AWS services that Cordon's flow runs on. Where it differs from AWS in something that
Cordon relies on, a module here puts the AWS behaviour back, and one test in ``tests/tests/engine_mends.rs`` holds it
through the public API, so that an upgrade of MiniStack tells at once which mend it broke or made superfluous. Nothing
is mended that Cordon does not rely on.

``python -m overlay`` installs every mend and then starts MiniStack in the same process. Every module has one subject,
an ``install()``, and a docstring that names the AWS behaviour it restores.
"""

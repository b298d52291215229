"""The ``unspool`` command."""

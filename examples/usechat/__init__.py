"""A page with the AI SDK's ``useChat``, and the Python agent behind it."""

"""The OpenAI SDK: Responses, an agent on them, and Chat Completions."""

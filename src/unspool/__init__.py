"""Stream any Python LLM agent to any front end, so that nothing is lost on the way."""

"""LangChain: runnables, and the classic agents."""

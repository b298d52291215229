"""The Anthropic SDK: Messages."""

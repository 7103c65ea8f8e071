"""A model server for tests and benchmarks: chat completions over HTTP, as strict about requests as OpenAI is.

The standard library alone, and no code of the agent: what judges the agent's requests shares nothing with it.
"""

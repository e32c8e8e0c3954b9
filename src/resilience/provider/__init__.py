"""A stand-in for an external provider of machine learning: a real server with the usual API, and faults on request.

`python -m resilience.provider` speaks the common part of the API of OpenAI: chat completions (streamed too), embeddings
and models. Answers follow from the request alone. Faults are set by name over `/-/faults`, with a token; each ends by
itself when its time is over.
"""

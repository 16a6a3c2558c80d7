"""A stand-in for text-generation-inference 3.3.7: the launcher, its shards and its router in one small process.

Paths in docstrings are those of TGI's repository at v3.3.7: L is launcher/src/main.rs, R is router/src/,
V3 is backends/v3/src/ and S is server/text_generation_server/. README.md says what is faithful and what is not.
"""

"""The test of the tester: planted bugs must be told, and for the right reason; defects of our own must never pass.

Read it in this order: `rows` (what is written down), `trials` (what is run for it), `answers` (what came of a run),
`programs` (how one is run), `keeping` (what is kept), `conduct` (all of them), `tables` (what is shown).
"""

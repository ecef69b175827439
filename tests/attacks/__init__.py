"""Attacks, one file for each attacker of ``audits/threats.md``.

Each attack must get exactly its code, from both implementations, the same again when it is tried again, and must change nothing:
honest traffic is accepted afterwards.
"""

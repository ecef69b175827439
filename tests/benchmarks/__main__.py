"""``python -m tests.benchmarks``: all of them. docs/benchmarks.md says how to read what they print."""

from tests.benchmarks import bulk, machine, proofs, signatures, start, trees

machine.describe()
for module in (signatures, bulk, trees, proofs, start):
    module.run()

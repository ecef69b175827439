"""``python -m tests.benchmarks``: all of them. docs/benchmarks.md says how to read what they print."""

from tests.benchmarks import admission, bulk, delivery, machine, proofs, signatures, start, storage, trees

machine.describe()
for module in (signatures, bulk, trees, proofs, admission, storage, delivery, start):
    module.run()

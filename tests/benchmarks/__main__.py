"""``python -m tests.benchmarks``: all of them."""

from tests.benchmarks import bulk, proofs, signatures, start, trees

for module in (signatures, bulk, trees, proofs, start):
    module.run()

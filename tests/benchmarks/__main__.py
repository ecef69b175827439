"""``python -m tests.benchmarks``: all of them."""

from tests.benchmarks import bulk, signatures, start, trees

for module in (signatures, bulk, trees, start):
    module.run()

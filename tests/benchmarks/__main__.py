"""``python -m tests.benchmarks``: all of them."""

from tests.benchmarks import bulk, signatures, start

for module in (signatures, bulk, start):
    module.run()

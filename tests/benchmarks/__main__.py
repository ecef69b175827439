"""``python -m tests.benchmarks``: all of them. docs/benchmarks.md says how to read what they print."""

from tests.benchmarks import bulk, machine, signatures, start

machine.describe()
for module in (signatures, bulk, start):
    module.run()

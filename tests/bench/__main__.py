"""``python -m tests.bench [engine …]``: run these benchmark modules, or all, and print one table.

Each module here but this one and ``timing`` has ``rows()``, which yields `timing.Row`.
"""

import sys
from importlib import import_module
from pathlib import Path

from tests.bench.timing import table


def main(names: list[str]) -> None:
    known = sorted(p.stem for p in Path(__file__).parent.glob("*.py") if p.stem not in ("__main__", "timing"))
    unknown = set(names) - set(known)
    if unknown:
        sys.exit(f"no benchmark {', '.join(sorted(unknown))}; allowed: {', '.join(known)}")
    print(
        "Times are medians of samples taken in turns, ratios ours/theirs; a bound is what was asked for.",
        flush=True,
    )
    rows = []
    for name in names or known:
        for row in import_module(f"tests.bench.{name}").rows():
            print(".", end="", flush=True)
            rows.append(row)
    print("\n" + table(rows))


if __name__ == "__main__":
    main(sys.argv[1:])

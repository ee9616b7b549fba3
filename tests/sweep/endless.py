"""``python endless.py FOLDER exit|stay``: begins a sweep of an hour, says who trains, ends or not."""

import sys
import time
from pathlib import Path

if __name__ == "__main__":
    from rnnviz.store import Store
    from rnnviz.sweep import Sweeping, executors
    from tests.sweep.ground import LONG, alive, wait

    started = []

    class Seen(executors.Local):
        def __init__(self, workers):
            super().__init__(workers)
            started.append(self._spawning.started)

    executors.Local = Seen
    sweeping = Sweeping(LONG, Store(Path(sys.argv[1])), workers=2)
    wait(lambda: started and len(started[0]) == 2 and all(p.pid and alive(p.pid) for p in started[0]))
    print(*(process.pid for process in started[0]), flush=True)
    while sys.argv[2] == "stay":
        time.sleep(1)

"""Working on many things at a time, with the results in their order."""

import collections
import concurrent.futures
import itertools

# Results that may wait, for each worker, for one that takes longer.
_AHEAD = 16


def map_in_order(function, items, num_workers: int):
    """Yields `function(item)` of each item, in the order of the items.

    The items may be endless: few are taken ahead.

    Args:
        function: callable, called in `num_workers` threads. What it raises is
            raised here.
        items: iterable.
        num_workers: int > 0.
    """
    items = iter(items)
    pool = concurrent.futures.ThreadPoolExecutor(num_workers)
    pending = collections.deque()
    try:
        while True:
            free = num_workers * _AHEAD - len(pending)
            for item in itertools.islice(items, free):
                pending.append(pool.submit(function, item))
            if not pending:
                return
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)

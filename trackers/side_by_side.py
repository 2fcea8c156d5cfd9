"""Does the same with many things, some of them at a time."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import TypeVar

Thing = TypeVar("Thing")


def each(things: Sequence[Thing], act: Callable[[Thing], None], threads: int) -> None:
    """Returns once all is done; after the first failure no other is begun, and it is raised once those under way ended.

    In order, and in this thread, where there is one thread or one thing.
    """
    if threads < 2 or len(things) < 2:
        for thing in things:
            act(thing)
        return
    failed = threading.Event()

    def act_unless_failed(thing: Thing) -> None:
        if failed.is_set():  # before the pool could cancel what is left
            return
        try:
            act(thing)
        except BaseException:
            failed.set()
            raise

    with ThreadPoolExecutor(threads, thread_name_prefix="hpo-send") as pool:
        begun = [pool.submit(act_unless_failed, thing) for thing in things]
        try:
            wait(begun, return_when=FIRST_EXCEPTION)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    for future in begun:
        if not future.cancelled():
            future.result()

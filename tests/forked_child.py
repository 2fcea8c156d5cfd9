"""What a forked process does where another one would return to its interpreter."""

import os
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn


def ends_with(run: Callable[[], object]) -> NoReturn:
    """Runs that, shows what it raises, and ends with the exit code that a program would have, 70 for an exception."""
    code = 70
    try:
        run()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError):
                stream.flush()
        os._exit(code)

"""Predictions for few rows, by XGBoost's C interface: half the time of `Booster.inplace_predict` for one row.

What is left out is only what the Python method does around the call: finding out what kind of table it was given.
Source: https://xgboost.readthedocs.io/en/stable/c.html, XGBoosterPredictFromDense.
"""

from __future__ import annotations

import ctypes
import json
import math
from typing import Any

import numpy
from xgboost import Booster
from xgboost.core import _LIB, XGBoostError

MOST_ROWS = 16  # for more of them, the call lets other threads run meanwhile

# This handle keeps the interpreter's lock during a call: to let go of it and wait for it costs more than few rows do.
_HELD = ctypes.PyDLL(_LIB._name)
_PREDICT = _HELD.XGBoosterPredictFromDense
_PREDICT.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p] + 3 * [ctypes.c_void_p]
_ERROR = _HELD.XGBGetLastError
_ERROR.restype = ctypes.c_char_p
_CONFIG = json.dumps(
    {
        "type": 0,  # the value, not the margin
        "training": False,
        "iteration_begin": 0,
        "iteration_end": 0,
        "missing": math.nan,
        "strict_shape": False,
        "cache_id": 0,
    }
).encode()


def predict(booster: Booster, rows: numpy.ndarray) -> numpy.ndarray:
    """What `booster.inplace_predict(rows, validate_features=False)` returns.

    `rows`: float32 of shape (n, features), contiguous, a missing value as NaN. Raises XGBoostError.
    """
    table = (
        f'{{"data":[{rows.ctypes.data},true],"shape":[{rows.shape[0]},{rows.shape[1]}],"typestr":"<f4","version":3}}'
    )
    shape = ctypes.POINTER(ctypes.c_uint64)()
    dimensions = ctypes.c_uint64()
    result = ctypes.POINTER(ctypes.c_float)()
    status = _PREDICT(
        booster.handle,
        table.encode(),
        _CONFIG,
        None,
        ctypes.byref(shape),
        ctypes.byref(dimensions),
        ctypes.byref(result),
    )
    if status:
        raise XGBoostError(_ERROR().decode())
    sizes = shape[: dimensions.value]
    return numpy.array(result[: math.prod(sizes)], numpy.float32).reshape(sizes)


def is_for_few(rows: Any) -> bool:
    return len(rows) <= MOST_ROWS and rows.dtype == numpy.float32 and rows.flags.c_contiguous

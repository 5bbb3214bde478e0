"""What moto and its packages import, and a start of the offline AWS does without: it would be a third of it."""

from __future__ import annotations

import sys
import types
import warnings
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import LazyLoader

# Imported when first used, which is never for most workspaces: moto's mocks of whole services, files of responses.
LATER = frozenset(("yaml", "moto.backend_index"))
# As if not installed: what xgboost and jsonschema import if it is there (2 s and 130 MB for scikit-learn, 1.3 s for a
# grammar of IRIs), and what `requests` guesses the encoding of unlabelled answers with; the server asks nobody.
NEVER = ("sklearn", "rfc3987_syntax", "charset_normalizer")
OPENAPI = "openapi_spec_validator"  # moto's API Gateway reads OpenAPI documents with it


class _Finder:
    """Finds the modules of LATER as those that are loaded when an attribute of theirs is asked for."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: types.ModuleType | None = None
    ) -> ModuleSpec | None:
        if name not in LATER:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = LazyLoader(spec.loader)
        return spec


def leave_out() -> None:
    """To be called before anything of moto's is imported."""
    for name in NEVER:
        sys.modules[name] = None  # type: ignore[assignment]
    warnings.filterwarnings("ignore", "Unable to find acceptable character detection dependency")
    for name in (OPENAPI, f"{OPENAPI}.validation", f"{OPENAPI}.validation.exceptions"):
        module = sys.modules[name] = types.ModuleType(name)
        module.validate = _no_openapi
        module.OpenAPIValidationError = ValueError
    sys.meta_path.insert(0, _Finder)


def _no_openapi(document: object) -> None:
    raise NotImplementedError("OpenAPI documents are not read offline")

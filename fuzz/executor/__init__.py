"""The executor: plays cases over real connections and reports what it saw."""

from fuzz.executor.batch import Executor, Finished, unheard
from fuzz.executor.endpoint import Endpoint, Patience
from fuzz.executor.names import Names

__all__ = ["Endpoint", "Executor", "Finished", "Names", "Patience", "unheard"]

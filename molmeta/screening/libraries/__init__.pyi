from .base import Kind as Kind
from .base import Library as Library
from .base import Row as Row
from .csv_library import LineWriter as LineWriter
from .formats import open_library as open_library
from .formats import suffix as suffix
from .parquet import pyarrow_parquet as pyarrow_parquet

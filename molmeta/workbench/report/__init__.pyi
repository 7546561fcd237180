from .contents import LibraryRow as LibraryRow
from .contents import Wishes as Wishes
from .contents import write_page as write_page
from .page import render as render

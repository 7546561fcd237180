from .contents import write_page as write_page
from .page import render as render
from .ranking import LibraryRow as LibraryRow
from .ranking import Wishes as Wishes

"""The tool as a stranger has it: installed from its wheel, outside the checkout."""

"""Small expressions over params and metrics, such as `a < b`: read, checked and evaluated, with no `eval`."""

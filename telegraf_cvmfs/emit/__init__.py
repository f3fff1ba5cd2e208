"""Points and runs to text: one file for each format, `EMITTERS` names them."""

"""Lists of people as others export them (SPEC 6): bytes in, rows and what they claim out.

Theory of operation. `encoding` says what the bytes are; `lines` cuts them into physical lines, of
bounded length; `csv_rows` and `json_rows` make rows of these, each with its own bytes, so that a
row can be given back unchanged; `shape` is what the head of the file tells of the whole; `columns`
says which column holds what, `items` what a row claims. `reader` puts them together. Nothing here
holds more than one chunk and one row, and no row stops the others: what is wrong with one is its
`RowFault`, what is wrong with the file is `InvalidList`.
"""

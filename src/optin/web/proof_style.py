"""How the evidence page looks, on a screen and on A4."""

STYLE = """
@page { size: A4; margin: 18mm 16mm 20mm;
  @bottom-right { content: counter(page) " / " counter(pages); font: 8pt sans-serif; } }
* { box-sizing: border-box; }
body { margin: 0; background: #fff; color: #1a1a1a; font: 11pt/1.45 Georgia, "Times New Roman",
  "Noto Serif", serif; overflow-wrap: anywhere; }
main { max-width: 46rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
h1 { font-size: 1.7em; margin: 0 0 .6em; }
h2 { font-size: 1.25em; margin: 1.8em 0 .5em; padding-bottom: .2em; border-bottom: 1px solid #888;
  break-after: avoid; }
h3 { font-size: 1.05em; margin: 0 0 .4em; break-after: avoid; }
p { margin: .4em 0; }
dl { display: grid; grid-template-columns: minmax(8rem, 11rem) 1fr; gap: .15em 1em;
  margin: .4em 0; }
dt { color: #555; }
dd { margin: 0; }
.event { border-left: 3px solid #999; padding: .1em 0 .1em .9em; margin: 0 0 1.1em;
  break-inside: avoid; }
blockquote { margin: .3em 0 .6em; padding: .5em .8em; background: #f3f3f0; border: 1px solid #ccc;
  white-space: pre-wrap; }
table { border-collapse: collapse; width: 100%; font-size: .9em; }
th, td { text-align: left; vertical-align: top; padding: .3em .5em .3em 0;
  border-bottom: 1px solid #ccc; }
tr { break-inside: avoid; }
thead { display: table-header-group; }
.hash, code { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: .82em; }
.wrong { border: 2px solid #a00; padding: .6em .8em; font-weight: bold; }
@media (max-width: 34rem) { dl { grid-template-columns: 1fr; } dt { margin-top: .3em; } }
@media print { main { max-width: none; padding: 0; } body { font-size: 10pt; }
  blockquote { background: none; } }
""".strip()

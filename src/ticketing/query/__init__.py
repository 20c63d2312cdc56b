"""One query language for tickets: text becomes a tree, and a tree a condition of a statement.

`fields` declares what can be asked for, `parsing` makes a tree of a text, `names` looks up the people in it, and
`compiling` makes the condition. What is compiled consists of fragments that are written here; whatever comes from the
text is the value of a parameter.
"""
